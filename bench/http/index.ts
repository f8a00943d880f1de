import { availableParallelism, cpus } from 'node:os';
import { heading, line, number, progress, progressDone, table } from '../parts/report.ts';
import { median } from '../parts/statistics.ts';
import { load, type Loaded } from './load.ts';
import { otherCore, startHttpWorld, wayNames, type HttpWorld, type WayName, type Who } from './world.ts';

export interface HttpOptions {
  readonly quick: boolean;
  readonly rounds: number;
  readonly profileFolder: string | undefined;
  /** Another checkout, whose gateway is measured. */
  readonly gatewayFolder: string | undefined;
  readonly onClose: (closer: () => Promise<void>) => void;
}

export interface HttpFigures {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
  readonly small: readonly Measured[];
  readonly json: readonly Measured[];
  readonly goals: readonly Goal[];
}

/** Medians of the rounds. */
interface Measured extends Loaded {
  readonly way: string;
  readonly clients: number;
}

interface Goal {
  readonly figure: string;
  readonly goal: string;
  readonly measured: number;
  /** What the least that a proxy on Node can do has, keeping the records: `node:http with records`. Undefined where it does nothing of the kind. */
  readonly floor: number | undefined;
  readonly met: boolean;
}

/** Small answers and 10 KB of JSON through nginx, HAProxy, bare proxies on Node and the gateway, each with one core to itself. */
export async function benchHttp(options: HttpOptions): Promise<HttpFigures> {
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), node: process.version };
  const proxyCore = machine.cores > 1 ? 0 : undefined;
  line(
    `${machine.cores} × ${machine.cpu}, Node ${machine.node}; ${options.rounds} rounds, medians of them; compare ratios, not absolute figures`,
  );
  if (proxyCore !== undefined) line('each proxy on one core; client and API on another');
  const world = await startHttpWorld({ ...options, proxyCore });
  const requests = options.quick ? 4_000 : 20_000;
  const small: Measured[] = [];
  for (const clients of [1, 16]) {
    const count = clients === 1 ? Math.ceil(requests / 4) : requests;
    small.push(
      ...(await measure(
        world,
        wayNames.filter((name) => name !== 'sallyport open').map((name) => ({ name, who: 'job' as const })),
        { path: '/small', clients, requests: count, rounds: options.rounds, core: otherCore(proxyCore) },
      )),
    );
  }
  print('a small answer', small);
  const ways = [
    ...wayNames.filter((name) => !name.startsWith('sallyport')).map((name) => ({ name, who: 'job' as const })),
    { name: 'sallyport open' as const, who: 'job' as const },
    ...(['analyst', 'job'] as const).map((who) => ({ name: 'sallyport process' as const, who })),
  ];
  const json = await measure(world, ways, {
    path: '/customers.json',
    clients: 16,
    requests: Math.ceil(requests / 4),
    rounds: options.rounds,
    core: otherCore(proxyCore),
  });
  print(
    '10 KB of JSON; nothing is hidden (open), or only from the recording (analyst), or three places in each of 36 customers from the job',
    json,
  );
  const goals = goalsOf(small, json);
  heading('Goals');
  table(
    ['figure', 'goal', 'measured', 'floor', ''],
    goals.map(({ figure, goal, measured, floor, met }) => [
      figure,
      goal,
      number(measured, 2),
      floor === undefined ? '' : number(floor, 2),
      met ? 'met' : 'missed',
    ]),
  );
  return { machine, small, json, goals };
}

interface Case {
  readonly path: string;
  readonly clients: number;
  readonly requests: number;
  readonly rounds: number;
  readonly core: number | undefined;
}

/** Round by round, one way after the other, so that what else the machine does falls on all of them. */
async function measure(
  world: HttpWorld,
  ways: readonly { readonly name: WayName; readonly who: Who }[],
  { rounds, requests, ...rest }: Case,
): Promise<readonly Measured[]> {
  const runs = ways.map((): Loaded[] => []);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, { name, who }] of ways.entries()) {
      progress(`${rest.path}, ${rest.clients} clients, ${name} (${round === 0 ? 'warming up' : `round ${round} of ${rounds}`})`);
      const loaded = await load({
        ...rest,
        way: world.way(name, who),
        requests: round === 0 ? warmUp(name, requests) : requests,
        folder: world.folder,
      });
      if (round > 0) runs[index]!.push(loaded);
    }
  }
  progressDone();
  return ways.map(({ name, who }, index) => {
    const of = (key: keyof Loaded): number => median(runs[index]!.map((one) => one[key]));
    const way = who === 'analyst' ? `${name}, analyst` : name;
    return { way, clients: rest.clients, perSecond: of('perSecond'), p50Us: of('p50Us'), p99Us: of('p99Us'), cpuUs: of('cpuUs') };
  });
}

/** The engine under Node's programs goes on compiling for some 60,000 requests. */
function warmUp(name: WayName, requests: number): number {
  return name === 'direct' || name === 'nginx' || name === 'haproxy' ? requests : requests * 3;
}

function print(title: string, measured: readonly Measured[]): void {
  heading(title);
  table(
    ['way', 'clients', 'requests/s', 'p50 µs', 'p99 µs', 'CPU µs a request'],
    measured.map(({ way, clients, perSecond, p50Us, p99Us, cpuUs }) => [
      way,
      String(clients),
      number(perSecond),
      number(p50Us),
      number(p99Us),
      number(cpuUs),
    ]),
  );
}

function goalsOf(small: readonly Measured[], json: readonly Measured[]): readonly Goal[] {
  const of = (all: readonly Measured[], way: string): Measured => all.findLast((one) => one.way === way)!;
  const nginx = of(small, 'nginx');
  const process = of(small, 'sallyport process');
  const floor = of(small, 'node:http with records');
  const ratio = process.perSecond / nginx.perSecond;
  const tail = process.p99Us / nginx.p99Us;
  const added = of(json, 'sallyport process').cpuUs - of(json, 'sallyport open').cpuUs;
  return [
    {
      figure: 'small answers, requests/s ÷ nginx, 16 clients',
      goal: '≥ 0.35',
      measured: ratio,
      floor: floor.perSecond / nginx.perSecond,
      met: ratio >= 0.35,
    },
    {
      figure: 'small answers, p99 ÷ nginx, 16 clients',
      goal: '≤ 3',
      measured: tail,
      floor: floor.p99Us / nginx.p99Us,
      met: tail <= 3,
    },
    { figure: '10 KB of JSON, CPU that masking adds, µs', goal: '≤ 150', measured: added, floor: undefined, met: added <= 150 },
  ];
}

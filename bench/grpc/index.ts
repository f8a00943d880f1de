import { performance } from 'node:perf_hooks';
import { Caller, everything } from '../../conformance/grpc/peers/caller.ts';
import { loadProto } from '../../conformance/grpc/peers/protos.ts';
import type { Way } from '../../conformance/grpc/peers/cases.ts';
import { heading, line, number, progress, progressDone, table } from '../parts/report.ts';
import type { Program } from '../parts/programs.ts';
import { median } from '../parts/statistics.ts';
import { pathNames, startWorld, type Path, type PathName } from './world.ts';

export interface GrpcBenchOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly profileFolder: string | undefined;
  readonly gatewayFolder: string | undefined;
  readonly onClose: (closer: () => Promise<void>) => void;
}

interface Unary {
  /** Calls a second. */
  readonly rate: number;
  /** Microseconds of the processor time of the program in between, for one call; NaN on the direct way. */
  readonly cpu: number;
}

/**
 * `npm run bench -- grpc`: unary calls a second, directly and through each proxy, in turn and in another order in each round; and what masking adds to
 * the gateway's processor time for a message.
 */
export async function benchGrpc(options: GrpcBenchOptions): Promise<Readonly<Record<string, unknown>>> {
  const world = await startWorld(options);
  const measured = new Map<PathName, Unary[]>(pathNames.map((name) => [name, []]));
  for (const name of pathNames) await unary(world.path(name), 1);
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const name of round % 2 === 1 ? pathNames : pathNames.toReversed()) {
      progress(`round ${round} of ${options.rounds}: ${name}`);
      measured.get(name)!.push(await unary(world.path(name), options.seconds));
    }
  }
  const added: number[] = [];
  const { way, program } = world.path('sallyport process');
  for (let round = 0; round <= options.rounds; round += 1) {
    progress(`masking, round ${round} of ${options.rounds}`);
    const [plain, masked] = [await cpuOfMessages(way, program!), await cpuOfMessages(world.masked, program!)];
    // The first one warms up.
    if (round > 0) added.push(masked - plain);
  }
  progressDone();
  const direct = measured.get('direct')!;
  const calls = pathNames.map((name) => {
    const rounds = measured.get(name)!;
    return {
      name,
      rate: median(rounds.map(({ rate }) => rate)),
      ofDirect: median(rounds.map(({ rate }, round) => rate / (direct[round]?.rate ?? Number.NaN))),
      cpu: median(rounds.map(({ cpu }) => cpu)),
    };
  });
  const maskedMicroseconds = median(added);
  heading(`unary calls a second, ${concurrent} at a time, a small message each way`);
  table(
    ['', 'calls/s', 'of direct', 'goal', 'CPU a call, µs'],
    calls.map(({ name, rate, ofDirect, cpu }) => [
      name,
      number(rate),
      number(ofDirect, 2),
      name.startsWith('sallyport') ? '0.60' : '',
      number(cpu),
    ]),
  );
  heading('a message with a masked field, what it adds to the processor time of the gateway');
  table(['', 'µs', 'goal'], [['added', number(maskedMicroseconds, 1), '20']]);
  line('');
  return { calls, maskedMicroseconds };
}

async function unary({ way, program }: Path, seconds: number): Promise<Unary> {
  const caller = new Caller(definition, 'bank.v1.Ledger', way);
  const cpuBefore = program?.cpuSeconds() ?? Number.NaN;
  const until = performance.now() + seconds * 1000;
  let done = 0;
  const one = async (): Promise<void> => {
    while (performance.now() < until) {
      const { code, details } = await caller.unary('Get', { number: '7' });
      if (code !== 0) throw new Error(`a call failed: ${details}`);
      done += 1;
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: concurrent }, one));
  const took = (performance.now() - began) / 1000;
  caller.close();
  return { rate: done / took, cpu: (((program?.cpuSeconds() ?? Number.NaN) - cpuBefore) * 1e6) / done };
}

/** Microseconds of the program's processor time for each message of a stream. */
async function cpuOfMessages(way: Way, program: Program): Promise<number> {
  const caller = new Caller(definition, 'bank.v1.Ledger', way);
  const before = program.cpuSeconds();
  for (let call = 0; call < streams; call += 1) {
    const { messages, details, code } = await everything(caller.output('List', { count: messagesOfStream }));
    if (code !== 0 || messages.length !== messagesOfStream) throw new Error(`a stream failed: ${details}`);
  }
  const used = program.cpuSeconds() - before;
  caller.close();
  return (used * 1e6) / (streams * messagesOfStream);
}

const definition = loadProto('bank.proto');
const concurrent = 32;
const streams = 10;
const messagesOfStream = 10_000;

import { performance } from 'node:perf_hooks';
import { Caller, everything } from '../../conformance/grpc/peers/caller.ts';
import { loadProto } from '../../conformance/grpc/peers/protos.ts';
import type { Way } from '../../conformance/grpc/peers/cases.ts';
import { heading, line, number, progress, progressDone, table } from '../parts/report.ts';
import type { Program } from '../parts/programs.ts';
import { median } from '../parts/statistics.ts';
import { startWorld } from './world.ts';

export interface GrpcBenchOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly profileFolder: string | undefined;
  readonly onClose: (closer: () => Promise<void>) => void;
}

/**
 * `npm run bench -- grpc`: unary calls a second, directly, through nginx and through the gateway, one after the other in each round; and what masking adds to
 * the gateway's processor time for a message.
 */
export async function benchGrpc(options: GrpcBenchOptions): Promise<Readonly<Record<string, unknown>>> {
  const world = await startWorld(options.onClose, options.profileFolder);
  const calls: Record<'direct' | 'nginx' | 'gateway', number[]> = { direct: [], nginx: [], gateway: [] };
  for (const name of ['direct', 'nginx', 'gateway'] as const) await unary(world.ways[name], 1);
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const name of ['direct', 'nginx', 'gateway'] as const) {
      progress(`round ${round} of ${options.rounds}: ${name}`);
      calls[name].push(await unary(world.ways[name], options.seconds));
    }
  }
  const added: number[] = [];
  for (let round = 0; round <= options.rounds; round += 1) {
    progress(`masking, round ${round} of ${options.rounds}`);
    const [plain, masked] = [await cpuOfMessages(world.ways.gateway, world.gateway), await cpuOfMessages(world.ways.masked, world.gateway)];
    // The first one warms up.
    if (round > 0) added.push(masked - plain);
  }
  progressDone();
  const rate = { direct: median(calls.direct), nginx: median(calls.nginx), gateway: median(calls.gateway) };
  const maskedMicroseconds = median(added);
  heading(`unary calls a second, ${concurrent} at a time, a small message each way`);
  table(
    ['', 'calls/s', 'of direct', 'goal'],
    [
      ['grpc-js, directly', number(rate.direct), '1.00', ''],
      ['nginx grpc_pass', number(rate.nginx), number(rate.nginx / rate.direct, 2), ''],
      ['gateway', number(rate.gateway), number(rate.gateway / rate.direct, 2), '0.60'],
    ],
  );
  heading('a message with a masked field, what it adds to the processor time of the gateway');
  table(['', 'µs', 'goal'], [['added', number(maskedMicroseconds, 1), '20']]);
  line('');
  return { calls, rate, maskedMicroseconds };
}

/** Calls a second. */
async function unary(way: Way, seconds: number): Promise<number> {
  const caller = new Caller(definition, 'bank.v1.Ledger', way);
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
  return done / took;
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

import { parseArgs } from 'node:util';
import { compileDataClasses, type DataClasses } from '../src/masking/classes.ts';
import { streamMasker } from '../src/masking/stream.ts';
import type { Detector } from '../src/masking/types.ts';
import { nodeCrypto } from '../src/net/crypto.ts';
import { lineMasker } from '../src/protocols/http/mask-lines.ts';
import { line, number, table } from './parts/report.ts';

/**
 * What masking of text as it comes costs: MB per second of CPU time, the best of several runs, for typical texts and sets of detectors. `terminal` is what a command
 * writes (exec, attach, SSH), `lines` what comes line by line (logs).
 *
 *     node bench/masking-stream.ts [--megabytes 4] [--only <words of a text's name>]
 */
const { values: options } = parseArgs({ options: { megabytes: { type: 'string', default: '4' }, only: { type: 'string', default: '' } } });
const BYTES = Number(options.megabytes) * 1_000_000;
const CHUNK_BYTES = 32 * 1024;
const RUNS = 5;

let seed = 1;
/** The same numbers every time. */
function random(below: number): number {
  seed = (seed * 48_271) % 0x7fff_ffff;
  return seed % below;
}
const digits = (count: number): string => Array.from({ length: count }, () => String(random(10))).join('');
const word = (): string => ['order', 'wombat', 'session', 'taken', 'customer', 'process', 'address', 'web', 'is', 'of'][random(10)]!;
const words = (count: number): string => Array.from({ length: count }, word).join(' ');
const time = (): string => `2026-11-${10 + random(20)}T${10 + random(14)}:${10 + random(50)}:${10 + random(50)}`;
const address = (): string => `10.${random(256)}.${random(256)}.${random(256)}`;

const texts: Readonly<Record<string, () => string>> = {
  words: () =>
    `level=info msg="${words(4)}" order=${digits(7)} customer=wombat duration=${digits(2)}ms path=/orders/${digits(7)} status=201\n`,
  'with times': () => `${time()}.${digits(9)}Z stderr F ${words(6)} from ${address()}:${digits(5)} in ${digits(3)}.${digits(6)} ms\n`,
  'access log': () =>
    `${address()} - - [30/Nov/2026:11:40:${digits(2)} +0000] "GET /${word()}/${digits(6)} HTTP/1.1" 200 ${digits(5)} "-" "curl/8.5.0"\n`,
  json: () =>
    `{"ts":173296${digits(4)}.${digits(6)},"level":"info","caller":"server/${word()}.go:${digits(3)}","msg":"${words(5)}","bytes":${digits(8)},"id":"${digits(4)}ab-${digits(4)}"}\n`,
  'json, escaped': () => `{"ts":"${time()}Z","msg":"GET \\"/${word()}\\" took ${digits(3)} ms","err":"${words(3)}\\n${words(2)}"}\n`,
  numbers: () => `${Array.from({ length: 12 }, () => digits(1 + random(9))).join(' ')} 1732966${digits(6)}\n`,
  colours: () => `\u001B[32mINFO\u001B[0m ${time()}Z \u001B[1m${words(3)}\u001B[0m id=${digits(6)} ${words(3)}\n`,
  'beyond ASCII': () => `${time()}Z Größe ${digits(3)} → ${words(4)} für „${word()}“\n`,
  'one line of JSON': () => `{"id":${digits(8)},"name":"${words(2)}","tags":["${word()}","${word()}"],"size":${digits(6)}},`,
  base64: () => Buffer.from(words(12)).toString('base64'),
  bytes: () => String.fromCharCode(...Array.from({ length: 100 }, () => random(256))),
  'one in a hundred sensitive': () => (random(100) === 0 ? `paid with 4111 1111 1111 1111 by 078-05-1120\n` : `${time()}Z ${words(10)}\n`),
};

const recognisers = ['card-number', 'us-ssn', 'aba-routing', 'iban', 'email', 'phone'] as const;
const recogniser = (name: (typeof recognisers)[number]): Detector => ({ kind: 'recogniser', name });
const sets: Readonly<Record<string, readonly Detector[]>> = {
  two: [recogniser('card-number'), recogniser('us-ssn')],
  all: recognisers.map(recogniser),
  pattern: [{ kind: 'pattern', pattern: String.raw`\bACC-\d{8}\b` }],
  'two, pattern': [
    recogniser('card-number'),
    recogniser('us-ssn'),
    { kind: 'pattern', pattern: String.raw`(?i)api[_-]?key[=:]\s*[a-z0-9]{16,}` },
  ],
  'vague pattern': [{ kind: 'pattern', pattern: String.raw`(?:[a-z]+-)*secret` }],
};

function classesOf(detect: readonly Detector[]): DataClasses {
  return compileDataClasses([{ name: 'class', columns: [], paths: [], detect, mask: 'partial-last4' }], nodeCrypto, new Uint8Array(32));
}

function chunksOf(make: () => string, isBinary: boolean): Uint8Array[] {
  const parts: string[] = [];
  for (let length = 0; length < BYTES; length += parts.at(-1)!.length) parts.push(make());
  const whole = Buffer.from(parts.join(''), isBinary ? 'latin1' : 'utf8');
  return Array.from({ length: Math.ceil(whole.length / CHUNK_BYTES) }, (_, index) =>
    whole.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  );
}

interface Masker {
  push(bytes: Uint8Array): readonly Uint8Array[];
  end(): readonly Uint8Array[];
}

/** MB per second, the best of all runs; they end when they have taken long enough. */
function measured(chunks: readonly Uint8Array[], make: () => Masker): number {
  let best = 0;
  let spent = 0;
  for (let run = 0; run < RUNS && spent < 6e6; run += 1) {
    const masker = make();
    const before = process.cpuUsage();
    let bytes = 0;
    for (const [index, chunk] of chunks.entries()) {
      if (index % 16 === 15 && process.cpuUsage(before).user > 3e6) break;
      masker.push(chunk);
      bytes += chunk.length;
    }
    masker.end();
    const { user } = process.cpuUsage(before);
    spent += user;
    best = Math.max(best, bytes / user);
  }
  return best;
}

for (const way of ['terminal', 'lines'] as const) {
  const rows: string[][] = [];
  for (const [name, make] of Object.entries(texts)) {
    if (!name.includes(options.only) || (way === 'lines' && ['bytes', 'base64', 'one line of JSON'].includes(name))) continue;
    const chunks = chunksOf(make, name === 'bytes');
    const row = [name];
    for (const detect of Object.values(sets)) {
      const classes = classesOf(detect);
      const detectors = classes.detectors;
      const masks = { classes, detectors, rules: [], holdsDocuments: false, isStrict: false, hides: true, ruleClasses: [] };
      const speed = measured(chunks, () => (way === 'terminal' ? streamMasker(classes, detectors) : lineMasker(masks)));
      row.push(number(speed, speed < 10 ? 1 : 0));
    }
    rows.push(row);
  }
  table([way, ...Object.keys(sets)], rows);
  line('');
}

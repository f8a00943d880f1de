import { compileDataClasses, type DataClasses } from '../../src/masking/classes.ts';
import type { DetectorSet } from '../../src/masking/detect.ts';
import { streamMasker } from '../../src/masking/stream.ts';
import { streamNoise, streamPatterns, streamValues, withoutLookahead } from '../../src/masking/testing/stream-texts.ts';
import { maskProse } from '../../src/masking/text.ts';
import type { DataClass, Detector, MaskKind, RecogniserName } from '../../src/masking/types.ts';
import { nodeCrypto } from '../../src/net/crypto.ts';
import { Random } from '../random.ts';
import { Findings, minimised, runCases, type RunOptions, type RunResult } from '../report.ts';

/**
 * Texts made of values, of what looks like them and of control sequences, cut anywhere and released at any time, go through a masked stream twice: as it is, and
 * without looking ahead. Both show, hold back and count the same. A plain line is shown as it would be by itself.
 */
export async function fuzzStreams(options: RunOptions): Promise<RunResult> {
  const findings = new Findings();
  const counts = { texts: 0, bytes: 0, 'with something masked': 0 };
  const cases = await runCases(options, async (index) => {
    const random = Random.ofCase(options.seed, index);
    // Patterns take most of the time.
    const classes = random.pick(random.chance(0.8) ? recognised : sets);
    for (let text = 0; text < textsOfCase; text += 1) {
      const parts = random.chance(0.5) ? random.pick(profiles) : everything;
      const made: Made = {
        parts: Array.from({ length: random.between(1, 60) }, () => partOf(random, parts)),
        sizes: Array.from({ length: random.below(6) }, () => (random.chance(0.2) ? 0 : random.between(1, random.pick([4, 40, 400])))),
        isRaw: random.chance(0.2),
      };
      const wrong = difference(classes, made);
      counts.texts += 1;
      counts.bytes += made.parts.join('').length;
      if (wrong === 'masked') counts['with something masked'] += 1;
      else if (wrong !== undefined && findings.isNew(wrong)) {
        const fails = async (fewer: readonly string[]): Promise<boolean> => difference(classes, { ...made, parts: fewer }) === wrong;
        const minimal = await minimised(made.parts, fails, 2_000);
        const detail = `cut at ${JSON.stringify(made.sizes)}, detectors ${classes.names.join(', ')}`;
        findings.add({ what: wrong, minimal: minimal.map((one) => JSON.stringify(one)), detail, caseIndex: index });
      }
    }
  });
  return { cases, counts, findings: findings.all() };
}

interface Made {
  readonly parts: readonly string[];
  /** Of the pieces, in turn; 0: what is held back is released. */
  readonly sizes: readonly number[];
  readonly isRaw: boolean;
}

/** What is wrong; `masked` where nothing is and something was masked. */
function difference(classes: DataClasses, { parts, sizes, isRaw }: Made): string | undefined {
  const text = parts.join('');
  const whole = Buffer.from(text, isRaw ? 'latin1' : 'utf8');
  const { detectors } = classes;
  const [shown, masked, seen] = through(classes, detectors, whole, sizes);
  const [, , expected] = through(classes, withoutLookahead(detectors), whole, sizes);
  if (JSON.stringify(seen) !== JSON.stringify(expected)) return 'looking ahead changes what is shown';
  const isLine = !detectors.reach.patterns && !sizes.includes(0) && /^[\x20-\x7e\t]{0,4000}$/.test(text);
  if (isLine && shown !== maskProse(classes, detectors, text)) return 'a line is not shown as it would be by itself';
  return masked > 0 ? 'masked' : undefined;
}

function through(
  classes: DataClasses,
  detectors: DetectorSet,
  whole: Buffer,
  sizes: readonly number[],
): readonly [shown: string, masked: number, seen: unknown] {
  const masker = streamMasker(classes, detectors);
  const seen: unknown[] = [];
  let shown = '';
  const note = (pieces: readonly Uint8Array[]): void => {
    const now = Buffer.concat(pieces).toString('latin1');
    shown += now;
    seen.push(now, masker.heldFrom);
  };
  for (let at = 0, turn = 0; at < whole.length; turn += 1) {
    const size = sizes.some((one) => one > 0) ? sizes[turn % sizes.length]! : whole.length;
    note(size === 0 ? masker.release() : masker.push(whole.subarray(at, at + size)));
    at += size;
  }
  note(masker.end());
  seen.push([...masker.masked]);
  return [shown, [...masker.masked.values()].reduce((sum, count) => sum + count, 0), seen];
}

function partOf(random: Random, from: readonly string[]): string {
  if (random.chance(0.03)) return random.pick(from).repeat(random.between(2, random.pick([8, 8, 8, 300])));
  if (random.chance(0.03)) return String.fromCharCode(random.below(256));
  const part = random.chance(0.15) ? random.pick(streamValues) : random.pick(from);
  // A value that is not quite one.
  if (!random.chance(0.05) || part.length < 3) return part;
  const at = random.below(part.length);
  return part.slice(0, at) + random.pick(['', ' ', '-', '0', '\u001B[m', '\u200b', '\n']) + part.slice(at + random.below(2));
}

const everything = [...streamNoise, ...streamValues];
/** Texts of a few parts that come again and again. */
const profiles: readonly (readonly string[])[] = [
  ['2026-11-30T11:40:00.123456789Z ', 'the quick brown fox ', '\n', 'ssn', ' s', 's', 'n '],
  ['123', '-', '45', '6789', ' ', '.', '4111', '1111', '9'],
  ['DE89', '3704', '0044', '0532', '0130', '00', ' ', '-', 'a', '\n'],
  ['a', '.', '@', 'b', 'cd', ' ', ',', 'é', '\n'],
  ['(', ')', '+', '1', '212', '555', '0123', ' ', '-', '.', '/', ','],
  ['\u001B[31m', '\u001B[0m', '4111', '1111', 'word ', '\n', '\u0007'],
  ['token=', 'api_key: ', '0123456789abcdef', 'KEY-', 'ABCD', ' ', '\n', 'Z1'],
];

const recognisers: readonly RecogniserName[] = ['card-number', 'us-ssn', 'aba-routing', 'iban', 'email', 'phone'];
const named = (name: string, mask: MaskKind, ...detect: Detector[]): DataClass => ({ name, columns: [], paths: [], detect, mask });
const recogniser = (name: RecogniserName): Detector => ({ kind: 'recogniser', name });
const own = named('own', 'redact', ...streamPatterns.map((pattern): Detector => ({ kind: 'pattern', pattern })));
const all = recognisers.map((name) => named(name, 'partial-last4', recogniser(name)));
const sets: readonly DataClasses[] = [
  all.slice(0, 2),
  all,
  [...all, own],
  [own],
  ...all.map((one) => [one]),
  ...streamPatterns.map((pattern) => [named(pattern, 'partial-last4', { kind: 'pattern', pattern })]),
  [named('hash', 'hash', recogniser('email'), recogniser('iban')), named('null', 'null', recogniser('phone'), recogniser('us-ssn'))],
].map((classes) => compileDataClasses(classes, nodeCrypto, new Uint8Array(32)));

const recognised = sets.filter(({ detectors }) => !detectors.reach.patterns);
const textsOfCase = 100;

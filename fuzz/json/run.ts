import { compileDataClasses, type DataClasses } from '../../src/masking/classes.ts';
import { isJson } from '../../src/masking/json-bytes.ts';
import { maskJson } from '../../src/masking/json.ts';
import { compileJsonPath } from '../../src/masking/json-path.ts';
import { maskPaths, type PlaceRule } from '../../src/masking/json-places.ts';
import { type JsonTree, broken, jsonText, jsonTree, maskedTree, parses } from '../../src/masking/testing/json-trees.ts';
import { streamNoise, streamPatterns, streamValues, withoutLookahead } from '../../src/masking/testing/stream-texts.ts';
import type { DataClass, Detector, MaskKind, RecogniserName } from '../../src/masking/types.ts';
import { nodeCrypto } from '../../src/net/crypto.ts';
import { LEFT_OUT, speaksOfCredential, withoutSecretMembers } from '../../src/protocols/http/credentials.ts';
import { Random } from '../random.ts';
import { Findings, runCases, type RunOptions, type RunResult } from '../report.ts';

/**
 * JSON texts of which it is known what stands where: what is masked by places, and left out of the record by names, is what was put there and nothing else; the detectors find the same whether they
 * look ahead or not; and what is JSON is what `JSON.parse` takes, also of texts that are broken.
 */
export async function fuzzJson(options: RunOptions): Promise<RunResult> {
  const findings = new Findings();
  const counts = { texts: 0, bytes: 0, 'masked by places': 0, 'masked by detectors': 0, 'with something left out': 0, broken: 0 };
  const cases = await runCases(options, (index) => {
    const random = Random.ofCase(options.seed, index);
    const classes = random.pick(random.chance(0.9) ? recognised : all);
    const rules = Array.from({ length: random.below(7) }, (): PlaceRule => {
      const rule = classes.strongest([random.pick(classes.names)])!;
      return { path: compileJsonPath(random.pick(paths)), rule };
    });
    for (let left = textsOfCase; left > 0; left -= 1) {
      const choose = (below: number): number => random.below(below);
      const tree = jsonTree(choose, { names, texts: textsOf(random) }, random.between(0, 6));
      const text = jsonText(tree);
      const worse = broken(choose, text);
      const wrong = wrongOf(classes, rules, tree, text, worse);
      counts.texts += 1;
      counts.bytes += text.length;
      if (maskPaths(classes, rules, text) !== undefined) counts['masked by places'] += 1;
      if (maskJson(classes, classes.detectors, text) !== undefined) counts['masked by detectors'] += 1;
      if (withoutSecretMembers(text) !== text) counts['with something left out'] += 1;
      if (!isJson(worse)) counts.broken += 1;
      if (wrong === undefined || !findings.isNew(wrong)) continue;
      const told = rules.map(({ path, rule }) => `${JSON.stringify(path.steps)} ${rule.class}`);
      const detail = `rules ${told.join(', ')}; broken ${JSON.stringify(worse)}`;
      findings.add({ what: wrong, minimal: [JSON.stringify(text)], detail, caseIndex: index });
    }
    return Promise.resolve();
  });
  return { cases, counts, findings: findings.all() };
}

function wrongOf(classes: DataClasses, rules: readonly PlaceRule[], tree: JsonTree, text: string, worse: string): string | undefined {
  const expected = maskedTree(tree, rules, classes);
  const placed = maskPaths(classes, rules, text);
  if (placed === null || (placed?.text ?? text) !== expected.text || (placed?.found ?? []).join() !== expected.found.join())
    return 'places are not masked as they should be';
  const detectors = withoutLookahead(classes.detectors);
  for (const one of [text, expected.text, worse])
    if (JSON.stringify(maskJson(classes, classes.detectors, one)) !== JSON.stringify(maskJson(classes, detectors, one)))
      return 'looking ahead changes what is found';
  const open = jsonText(tree, { value: (way) => (isSecret(way.at(-1)) ? JSON.stringify(LEFT_OUT) : undefined) });
  if (withoutSecretMembers(text) !== open) return 'secrets are not left out as they should be';
  const enough = Math.floor(text.length / 2);
  if (withoutSecretMembers(text, enough)?.slice(0, enough) !== open.slice(0, enough)) return 'secrets are not left out of the beginning';
  if (isJson(worse) !== parses(worse)) return 'JSON is not what JSON.parse takes';
  if ((maskPaths(classes, rules, worse) === null) === parses(worse)) return 'places are looked for in what is no JSON';
  return undefined;
}

function isSecret(member: string | number | undefined): boolean {
  return typeof member === 'string' && speaksOfCredential(member);
}

/** A few that come again and again. */
function textsOf(random: Random): readonly string[] {
  return Array.from({ length: 6 }, () =>
    Array.from({ length: random.below(5) }, () => random.pick(random.chance(0.4) ? streamValues : streamNoise)).join(''),
  );
}

const names = [
  'a',
  'b',
  'ssn',
  'card',
  'größe',
  'x "y',
  '',
  '0',
  '__proto__',
  'code',
  'Pin',
  'codes',
  'access_token',
  'Passwort',
  '😀',
  'a\nb',
];
const paths = [
  '$',
  '$.a',
  '$.a.b',
  '$.*',
  '$.*.b',
  '$.*.*',
  '$[0]',
  '$[1].a',
  '$[*].ssn',
  '$.ssn',
  '$.größe',
  '$["x \\"y"]',
  '$.a[0].b',
  '$.*[1]',
  '$.a.*.ssn',
  '$.b.b',
  '$[""]',
];
const recogniser = (name: RecogniserName): Detector => ({ kind: 'recogniser', name });
const named = (name: string, mask: MaskKind, ...detect: Detector[]): DataClass => ({ name, columns: [], paths: [], detect, mask });
const own = named('own', 'redact', ...streamPatterns.map((pattern): Detector => ({ kind: 'pattern', pattern })));
const every = (['card-number', 'us-ssn', 'aba-routing', 'iban', 'email', 'phone'] as const).map((name, index) =>
  named(`"${name}"`, (['null', 'redact', 'hash', 'pseudonym', 'partial-last4', 'partial-last4'] as const)[index]!, recogniser(name)),
);
const sets = [every.slice(0, 2), every, ...every.map((one) => [one]), [named('none', 'redact')], [...every, own], [own]];
const all: readonly DataClasses[] = sets.map((classes) => compileDataClasses(classes, nodeCrypto, new Uint8Array(32)));
/** Patterns take most of the time. */
const recognised = all.filter(({ detectors }) => !detectors.reach.patterns);
const textsOfCase = 100;

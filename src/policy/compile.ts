import type { Crypto } from '../core/crypto.ts';
import { GatewayFault } from '../core/fault.ts';
import { readAnnotations, type Annotations } from './annotations.ts';
import { canBeKept, parsePolicy, splitPolicies, validateText, type PolicyJson, type Remark } from './cedar.ts';
import { entityLiterals, hasUnsafeNumber } from './expression.ts';
import { forUnknownGroups, maxMembershipTests, membershipTests } from './groups.ts';
import { schemaText, validationSchema } from './schema.ts';

export interface PolicyFile {
  readonly name: string;
  readonly text: string;
}

/** One policy, valid. */
export interface Policy extends Annotations {
  readonly effect: 'permit' | 'forbid';
  readonly json: PolicyJson;
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** A valid set of policies. Immutable. */
export interface PolicySet {
  /** SHA-256, hex, of the schema and of every file's name and text. */
  readonly version: string;
  /** In the order of files (by name) and of each file's text. */
  readonly policies: readonly Policy[];
  /** What is allowed but looks like a mistake: a rule about a target that does not exist. */
  readonly warnings: readonly PolicyProblem[];
}

export interface PolicyProblem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  readonly message: string;
  readonly hint: string | undefined;
}

/** The policies cannot be used. `problems` are all that were found; none is repaired or skipped. */
export class PolicyLoadError extends GatewayFault {
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[]) {
    const all = problems.map(problemText).join('\n');
    super('policy-unavailable', { publicMessage: `the policies cannot be used: ${all}`, detail: all });
    this.problems = problems;
  }
}

/** `file:line:column: message (hint)`. */
export function problemText(problem: PolicyProblem): string {
  const hint = problem.hint === undefined ? '' : ` (${problem.hint})`;
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}${hint}`;
}

export interface KnownNames {
  /** Every target's name and labels. Policies that name others are warned about. */
  readonly targets?: readonly { readonly name: string; readonly labels: Readonly<Record<string, string>> }[];
  readonly dataClasses?: readonly string[];
}

export interface CompileInput extends KnownNames {
  readonly files: readonly PolicyFile[];
  readonly crypto: Pick<Crypto, 'sha256'>;
}

/** Checks every policy strictly against the schema and reads its annotations. Throws `PolicyLoadError` naming every problem found. */
export function compilePolicies(input: CompileInput): PolicySet {
  const files = [...input.files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const problems: PolicyProblem[] = [];
  const warnings: PolicyProblem[] = [];
  const policies = files.flatMap((file) => compileFile(new Source(file), input, problems, warnings));
  reportDuplicates(policies, problems);
  if (problems.length > 0) throw new PolicyLoadError(problems);
  return { version: digest(files, input.crypto), policies, warnings };
}

function compileFile(source: Source, names: KnownNames, problems: PolicyProblem[], warnings: PolicyProblem[]): Policy[] {
  const { policies, templates } = splitPolicies(source.file.text);
  for (const template of templates) {
    problems.push(
      source.problem(source.find(template), 'policy templates cannot be used', 'write the principal or resource instead of a slot'),
    );
  }
  const parsed = policies.map((text) => ({ text, start: source.find(text), json: parsePolicy(text) })).sort((a, b) => a.start - b.start);
  const mentioned = parsed.flatMap(({ json }) => entityLiterals(json)).filter((literal) => literal.type === 'Action');
  if (templates.length === 0) validate(source, new Set(mentioned.map((literal) => literal.id)), problems, warnings);
  return parsed.flatMap(({ text, start, json }) => {
    if (json === undefined) return [];
    for (const unknown of unknownNames(json, names)) {
      warnings.push(source.problem(start, `${unknown} is not in the configuration`, 'the policy never applies here; check the spelling'));
    }
    if (membershipTests(json).length > maxMembershipTests) {
      problems.push(
        source.problem(
          start,
          `the policy tests group membership in more than ${maxMembershipTests} ways`,
          'name several groups in one list: principal in [Group::"a", Group::"b"]',
        ),
      );
      return [];
    }
    if (hasUnsafeNumber(json)) {
      problems.push(source.problem(start, 'a number beyond 9007199254740991 cannot be kept exactly', 'compare such values as text'));
      return [];
    }
    if (!canBeKept(json) || !canBeKept(forUnknownGroups(json))) {
      problems.push(source.problem(start, 'the conditions are nested too deeply', 'split the policy in several'));
      return [];
    }
    const annotations = readAnnotations(json.effect, json.annotations ?? {}, (problem) => {
      const inside = problem.annotation === undefined ? -1 : text.indexOf(`@${problem.annotation}`);
      problems.push(source.problem(start + Math.max(inside, 0), problem.message, problem.hint));
    });
    return [{ ...annotations, effect: json.effect, json, file: source.file.name, line: source.place(start).line }];
  });
}

/**
 * Strict validation, with the smallest schema that can tell: policies are checked for every combination of principal, action and
 * resource types, and most actions differ in nothing but their names. Wrong names are then looked up in the whole schema, for Cedar's
 * "did you mean".
 */
function validate(source: Source, actions: ReadonlySet<string>, problems: PolicyProblem[], warnings: PolicyProblem[]): void {
  const { text } = source.file;
  const quick = validateText(validationSchema(actions), text);
  const misnamed = quick.errors.some((remark) => remark.message.includes('unrecognized action'));
  const { errors, warnings: remarks } = misnamed ? validateText(schemaText, text) : quick;
  const broken = new Set(errors.map((remark) => remark.policy));
  const told = new Set<string | undefined>();
  for (const remark of errors) {
    const problem = source.remark(remark);
    const said = problemText(problem);
    if (!told.has(said)) problems.push(problem);
    told.add(said);
  }
  for (const remark of remarks) {
    const never = /policy is impossible|unable to find an applicable action/.test(remark.message);
    if (never && broken.has(remark.policy)) continue;
    if (never) broken.add(remark.policy);
    const refused = never || /bidi|confusable/i.test(remark.message);
    (refused ? problems : warnings).push(source.remark(never ? { ...remark, ...neverApplies } : remark));
  }
}

function reportDuplicates(policies: readonly Policy[], problems: PolicyProblem[]): void {
  const first = new Map<string, Policy>();
  for (const policy of policies) {
    const earlier = first.get(policy.id);
    if (earlier === undefined) first.set(policy.id, policy);
    else if (policy.id !== '') {
      const message = `@id(${JSON.stringify(policy.id)}) is already used at ${earlier.file}:${earlier.line}`;
      problems.push({ file: policy.file, line: policy.line, column: 1, message, hint: 'every policy needs a name of its own' });
    }
  }
}

function unknownNames(json: PolicyJson, names: KnownNames): readonly string[] {
  const known = new Map<string, ReadonlySet<string>>();
  if (names.targets !== undefined) {
    known.set('Target', new Set(names.targets.map((target) => target.name)));
    known.set('Label', new Set(names.targets.flatMap((target) => Object.entries(target.labels).map(([key, value]) => `${key}=${value}`))));
  }
  if (names.dataClasses !== undefined) known.set('DataClass', new Set(names.dataClasses));
  const unknown = entityLiterals(json).filter(({ type, id }) => known.get(type)?.has(id) === false);
  return [...new Set(unknown.map(({ type, id }) => `${type}::${JSON.stringify(id)}`))];
}

function digest(files: readonly PolicyFile[], crypto: Pick<Crypto, 'sha256'>): string {
  const content = JSON.stringify([schemaText, files.map((file) => [file.name, file.text])]);
  return Array.from(crypto.sha256(new TextEncoder().encode(content)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A file's text and the places in it. Starts are in UTF-16 units; Cedar's own are in bytes and are turned into these. */
class Source {
  readonly file: PolicyFile;
  /** Where the search for each text goes on, so that equal policies get their own places. */
  readonly #searched = new Map<string, number>();

  constructor(file: PolicyFile) {
    this.file = file;
  }

  find(text: string): number {
    const start = this.file.text.indexOf(text, this.#searched.get(text) ?? 0);
    this.#searched.set(text, start + 1);
    return Math.max(start, 0);
  }

  remark(remark: Remark): PolicyProblem {
    const bytes = remark.start === undefined ? new Uint8Array() : new TextEncoder().encode(this.file.text).subarray(0, remark.start);
    const message = remark.message
      .replace(/^for policy `policy\d+`, /, '')
      .replace(/^failed to parse policies from string: /, '')
      .replace(/ for Action::"[^"]*"/, '');
    return this.problem(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes).length, message, remark.help);
  }

  problem(start: number, message: string, hint: string | undefined): PolicyProblem {
    return { file: this.file.name, ...this.place(start), message, hint };
  }

  place(start: number): { readonly line: number; readonly column: number } {
    const before = this.file.text.slice(0, start);
    const lineStart = before.lastIndexOf('\n') + 1;
    return { line: before.split('\n').length, column: start - lineStart + 1 };
  }
}

const neverApplies = {
  message: 'the policy can never apply',
  help: 'its action, principal and resource do not go together; objects of a target are `resource in Target::"…"`',
};

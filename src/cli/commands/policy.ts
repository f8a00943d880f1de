import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { LineCounter, parseDocument } from 'yaml';
import { explanationView } from '../../api/explanation.ts';
import type { Explained } from '../../api/schema.ts';
import type { Config } from '../../config/index.ts';
import { CaseFileError, explain, runCases } from '../../policy/index.ts';
import type { CaseOptions, CaseResult } from '../../policy/index.ts';
import { count, readConfiguration, readPolicies } from '../configuration.ts';
import { Failure, messageOf, usage } from '../failure.ts';
import { example, signedInClient, subcommand, withGateway, withJson } from '../options.ts';
import type { GatewayOptions, JsonOption } from '../options.ts';
import { print, printable, printJson } from '../terminal.ts';

interface ExplainOptions extends GatewayOptions, JsonOption {
  readonly config?: string;
  readonly target: string;
  readonly statement?: string | undefined;
  readonly header: readonly string[];
  readonly body?: string;
  readonly action?: string;
  readonly object?: string;
  readonly group: readonly string[];
  readonly claim: readonly string[];
  readonly issuer?: string;
  readonly subject?: string;
  readonly kind: string;
}

export function configure(command: Command): void {
  example(command, 'sallyport policy test cases.yaml');
  example(
    withJson(subcommand(command, 'test <cases>', 'run cases (what must be allowed, denied, held) against the policies')),
    'sallyport policy test policies/cases.yaml -c sallyport.yaml',
  )
    .option('-c, --config <file>', 'the configuration that names policies and targets', 'sallyport.yaml')
    .action(test);
  const explaining = withJson(withGateway(subcommand(command, 'explain', 'what policy says to one operation, and which policies say it')));
  example(
    explaining,
    'sallyport policy explain -c sallyport.yaml --target orders --group deployers "drop table t"',
    'sallyport policy explain -c sallyport.yaml --target aks --group deployers "DELETE /api/v1/namespaces/prod/pods/web-1"',
    'sallyport policy explain -c sallyport.yaml --target ledger --group deployers /bank.v1.Ledger/Transfer',
    'sallyport policy explain -c sallyport.yaml --target accounts "UPSERT /dbs/bank/colls/accounts/docs" --body @account.json',
    'sallyport policy explain -c sallyport.yaml --target orders --group deployers --action sql:delete --object \'Relation::"orders/public.t"\'',
    'sallyport policy explain --target orders --group deployers "drop table t"',
  )
    .option('-c, --config <file>', 'ask this configuration instead of a running gateway')
    .requiredOption('--target <name>', 'the target')
    .argument('[statement]', 'the statement, or the request as its first line: method and path')
    .option('--statement <text>', 'the same as an option')
    .option('--header <field>', 'a header field of the request, "name: value"; may be repeated', collect, [])
    .option('--body <text>', 'the body of the request, or @ and the file that holds it')
    .option('--action <action>', 'instead of a statement: one action')
    .option('--object <object>', 'instead of a statement: the object of the action')
    .option('--group <name>', 'a group of the principal; may be repeated', collect, [])
    .option('--claim <name=value>', 'a claim of the principal; may be repeated', collect, [])
    .option('--issuer <name>', 'the principal’s issuer')
    .option('--subject <subject>', 'the principal’s subject')
    .option('--kind <kind>', 'agent or user', 'agent')
    .action(explainOne);
}

async function test(file: string, options: JsonOption & { config: string }): Promise<void> {
  const config = await readConfiguration(options.config);
  const content = await readYaml(file);
  const set = readPolicies(config);
  const results = await run(file, async () =>
    runCases(set, content, { targets: config.targets, ...(await understanding(config, content)) }),
  );
  const failed = results.filter(({ passed }) => !passed);
  if (options.json === true) {
    printJson(results.map(({ name, passed, differences, decision }) => ({ name, passed, differences, decision: decision?.kind ?? null })));
  } else {
    for (const result of results) printResult(result);
    print(`${results.length - failed.length} of ${count(results.length, 'case')} passed`);
  }
  if (failed.length > 0)
    throw new Failure(`${count(failed.length, 'case')} failed`, { hint: 'sallyport policy explain shows why policy answers as it does' });
}

async function explainOne(words: string | undefined, given: ExplainOptions): Promise<void> {
  const options = { ...given, statement: await asked(words, given) };
  const explained = options.config === undefined ? await explainThere(options) : await explainHere(options, options.config);
  if (options.json === true) printJson(explained);
  else printExplained(explained);
}

/** The statement; a request as one text, in the form in which case files have it (docs/reference/policy.md). */
async function asked(words: string | undefined, { statement, header, body }: ExplainOptions): Promise<string | undefined> {
  if (words !== undefined && statement !== undefined) throw usage('two statements', 'give one of them');
  const line = words ?? statement;
  if (line === undefined) {
    if (header.length > 0 || body !== undefined)
      throw usage('the header or body of what?', 'give the first line of the request: a method and a path');
    return undefined;
  }
  const text = body?.startsWith('@') === true ? await readText(body.slice(1)) : body;
  return [[line, ...header].join('\n'), ...(text === undefined ? [] : [text])].join('\n\n');
}

/** By the policies of a running gateway, which knows its targets' catalogues. */
async function explainThere(options: ExplainOptions): Promise<Explained> {
  if (options.action !== undefined || options.object !== undefined) {
    throw usage('a running gateway explains statements, not single actions', 'give a statement, or -c with the configuration');
  }
  const client = await signedInClient(options);
  const { target, statement } = options;
  return await client.post<Explained>('/api/v1/policy/explain', { target, statement, principal: principalOf(options) });
}

async function explainHere(options: ExplainOptions, file: string): Promise<Explained> {
  const { target, statement, action, object } = options;
  if ((statement === undefined) === (action === undefined) || (action === undefined) !== (object === undefined)) {
    throw usage('explain what?', 'give a statement, or --action and --object');
  }
  const config = await readConfiguration(file);
  const set = readPolicies(config);
  const operation = statement === undefined ? { acts: [{ action, object }] } : { statement };
  const content = { cases: [{ name: 'asked', principal: principalOf(options), target, ...operation, at: new Date(), expect: 'allow' }] };
  const [result] = await run('the question', async () =>
    runCases(set, content, { targets: config.targets, ...(await understanding(config, content)) }),
  );
  if (result?.question === undefined) throw new Failure(`refused before policy is asked: ${result?.differences.join('; ') ?? ''}`);
  return explanationView(explain(set, result.question, result.now), undefined);
}

function principalOf(options: ExplainOptions): Record<string, unknown> {
  const claims = options.claim.map((claim) => {
    const [name, ...value] = claim.split('=');
    if (name === undefined || name === '' || value.length === 0) throw usage(`not a claim: ${claim}`, 'write --claim ref=refs/heads/main');
    return [name, value.join('=')] as const;
  });
  const { issuer, subject, kind, group } = options;
  return {
    ...(issuer === undefined ? {} : { issuer }),
    ...(subject === undefined ? {} : { subject }),
    kind,
    groups: group,
    claims: Object.fromEntries(claims),
  };
}

function printResult({ name, passed, differences }: CaseResult): void {
  print(`${passed ? 'ok  ' : 'FAIL'}  ${printable(name)}`);
  for (const difference of differences) print(`        ${printable(difference)}`);
}

function printExplained({ decision, message, acts, reviews, masked }: Explained): void {
  print(`${decision}${message === '' ? '' : `: ${printable(message)}`}`);
  for (const { group, approvals, policy } of reviews) print(printable(`  waits for ${approvals} of ${group} (${policy})`));
  if (masked !== null && masked.length > 0) print(printable(`  masked: ${masked.join(', ')}`));
  for (const act of acts) {
    print();
    print(printable(`${act.action} on ${act.object}: ${act.decision}`));
    for (const policy of act.policies) {
      const effect = policy.review === null ? policy.effect : `review by ${policy.review}`;
      print(printable(`  ${policy.outcome.padEnd(16)}  ${effect.padEnd(8)}  ${policy.id} (${policy.file}:${policy.line})`));
    }
    if (act.policies.length === 0) print('  no policy is about this');
  }
}

/** The SQL grammar is loaded only where a case has a statement. */
async function understanding(config: Config, content: unknown): Promise<Pick<CaseOptions, 'understand'>> {
  const { cases } = (content ?? {}) as { cases?: unknown };
  if (!Array.isArray(cases) || !cases.some((one) => typeof one === 'object' && one !== null && 'statement' in one)) return {};
  const { offlineUnderstanding } = await import('../understand.ts');
  return { understand: await offlineUnderstanding(config) };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw usage(`cannot read ${file}: ${messageOf(cause)}`);
  }
}

async function readYaml(file: string): Promise<unknown> {
  const text = await readText(file);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  if (document.errors.length === 0) return document.toJS({ maxAliasCount: 100 });
  const lines = document.errors.map(({ pos, message }) => {
    const { line, col } = lineCounter.linePos(pos[0]);
    return `${file}:${line}:${col}: ${message}`;
  });
  throw new Failure(`${file} is not YAML`, { lines });
}

async function run(file: string, cases: () => Promise<readonly CaseResult[]>): Promise<readonly CaseResult[]> {
  try {
    return await cases();
  } catch (error) {
    if (error instanceof CaseFileError) throw usage(`${file}: ${error.message}`, 'docs/reference/policy.md describes the format');
    throw error;
  }
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}

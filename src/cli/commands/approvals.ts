import type { Command } from 'commander';
import { Option } from 'commander';
import type { Approval, ApprovalDetail, ApprovalList } from '../../api/schema.ts';
import { segment } from '../client.ts';
import { follow } from '../follow.ts';
import { example, signedInClient, subcommand, withGateway, withJson } from '../options.ts';
import type { GatewayOptions, JsonOption } from '../options.ts';
import {
  oneLine,
  print,
  printable,
  printBlock,
  printBroken,
  printFields,
  printJson,
  printTable,
  relativeTime,
  statementLine,
} from '../terminal.ts';

type Options = GatewayOptions & JsonOption;

export function configure(command: Command): void {
  example(command, 'sallyport approvals watch');
  const add = (name: string, summary: string): Command => withJson(withGateway(subcommand(command, name, summary)));
  example(
    add('list', 'requests that wait, or with --state any other ones'),
    'sallyport approvals list',
    'sallyport approvals list --state denied',
  )
    .addOption(
      new Option('--state <state>', 'which ones')
        .choices(['pending', 'approved', 'denied', 'expired', 'cancelled', 'used', 'all'])
        .default('pending'),
    )
    .action(list);
  example(add('show <id>', 'what exactly would run, by whom, and who must approve'), 'sallyport approvals show apr_7f3a').action(show);
  example(add('approve <id>', 'let the held operation run'), 'sallyport approvals approve apr_7f3a --reason "ticket OPS-114"')
    .option('--reason <text>', 'why, for the record', '')
    .action(async (id: string, options: Options & { reason: string }) => await answer(id, 'approve', options));
  example(add('deny <id>', 'refuse the held operation'), 'sallyport approvals deny apr_7f3a --reason "outside the change window"')
    .requiredOption('--reason <text>', 'why; the client is told')
    .action(async (id: string, options: Options & { reason: string }) => await answer(id, 'deny', options));
  example(add('watch', 'requests as they come, until Ctrl-C'), 'sallyport approvals watch').action(watch);
}

async function list(options: Options & { state: string }): Promise<void> {
  const client = await signedInClient(options);
  const state = options.state === 'all' ? undefined : options.state;
  const { approvals } = await client.get<ApprovalList>('/api/v1/approvals', { state });
  if (options.json === true) return printJson(approvals);
  if (approvals.length === 0) return print(state === 'pending' ? 'nothing waits for approval' : 'none');
  printTable(
    ['ID', 'STATE', 'TARGET', 'BY', 'GROUPS', 'EXPIRES', 'OPERATION'],
    approvals.map((approval) => [
      approval.id,
      approval.state,
      approval.target,
      oneLine(approval.principal.display, 30),
      [...new Set(approval.reviews.map(({ group }) => group))].join(', '),
      relativeTime(approval.expires),
      statementLine(approval, 60),
    ]),
  );
}

async function show(id: string, options: Options): Promise<void> {
  const approval = await (await signedInClient(options)).get<ApprovalDetail>(`/api/v1/approvals/${segment(id)}`);
  if (options.json === true) return printJson(approval);
  const claims = Object.entries(approval.principal.claims).map(([name, value]) => `${name}=${value}`);
  printFields([
    ['approval', `${approval.id} (${approval.state})`],
    ['target', approval.target],
    ['by', `${approval.principal.display} (${approval.principal.kind}, ${approval.principal.issuer}, ${approval.principal.subject})`],
    ['job', claims.join(' ') || 'no claims'],
    ['session', approval.session],
    ['expires', relativeTime(approval.expires)],
    ...approval.acts.map((act) => ['would', `${act.action} ${act.object}`] as const),
  ]);
  for (const review of approval.reviews) {
    print(`\n${printable(review.group)} must approve (${review.answers.length} of ${review.approvals}): ${printable(review.message)}`);
    for (const { by, answer, reason, time } of review.answers) print(`  ${printable(`${answer} by ${by} at ${time}: ${reason}`)}`);
  }
  print(approval.exact === null ? '\nThe operation, sensitive values masked:\n' : '\nExactly what would run:\n');
  const { text, runs } = approval.exact ?? approval;
  printBlock(text);
  runs.forEach((behind, index) => {
    print(`\nBy name, this runs (${index + 1} of ${runs.length}):\n`);
    printBlock(behind);
  });
  const parameters = approval.exact?.parameters ?? [];
  if (parameters.length > 0) print('\nWith the parameters:\n');
  parameters.forEach((value, index) => printBlock(`$${index + 1} = ${value === null ? 'NULL' : JSON.stringify(value)}`));
}

async function answer(id: string, kind: 'approve' | 'deny', options: Options & { reason: string }): Promise<void> {
  const client = await signedInClient(options);
  const approval = await client.post<Approval>(`/api/v1/approvals/${segment(id)}/${kind}`, { reason: options.reason });
  if (options.json === true) return printJson(approval);
  const open = approval.reviews.filter((review) => review.answers.length < review.approvals).map(({ group }) => group);
  print(
    approval.state === 'pending'
      ? `recorded; still waiting for ${printable(open.join(', '))}`
      : `${printable(approval.id)}: ${approval.state}`,
  );
}

async function watch(options: Options): Promise<void> {
  const client = await signedInClient(options);
  await follow(client, '/api/v1/approvals/events', ({ event, data }) => {
    if (event !== 'approval') return;
    const approval = JSON.parse(data) as Approval;
    if (options.json === true) return printJson(approval, 0);
    const who = oneLine(approval.principal.display, 40);
    printBroken(
      `${new Date().toISOString()}  ${approval.state.padEnd(9)}  ${printable(approval.id)}  ${printable(approval.target)}  ${who}: ${statementLine(approval, 100)}`,
    );
  });
}

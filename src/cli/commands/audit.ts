import type { Command } from 'commander';
import { Option } from 'commander';
import type { AuditPage, AuditRow } from '../../api/schema.ts';
import { follow } from '../follow.ts';
import { example, signedInClient, subcommand, withGateway, withJson } from '../options.ts';
import type { GatewayOptions, JsonOption } from '../options.ts';
import { oneLine, print, printable, printJson } from '../terminal.ts';
import { verifyFolder } from '../verify-log.ts';
import type { VerifyOptions } from '../verify-log.ts';

type Options = GatewayOptions & JsonOption;

interface QueryOptions extends Options {
  readonly type?: string;
  readonly session?: string;
  readonly operation?: string;
  readonly target?: string;
  readonly principal?: string;
  readonly log?: string;
  readonly from?: string;
  readonly to?: string;
  readonly order: string;
  readonly limit: string;
}

export function configure(command: Command): void {
  example(command, 'sallyport audit query --type operation.decided --limit 20');
  const add = (name: string, summary: string): Command => withJson(subcommand(command, name, summary));
  example(
    withGateway(add('query', 'records of the audit log, filtered')),
    'sallyport audit query --target orders --from 2026-11-01T00:00:00Z',
    'sallyport audit query --type session.opened,session.closed --order newest --json',
  )
    .option('--type <types>', 'record types, separated by commas')
    .option('--session <id>', 'one session')
    .option('--operation <id>', 'one operation')
    .option('--target <name>', 'one target')
    .option('--principal <issuer|subject>', 'one principal')
    .option('--log <name>', 'one log, where there are workers: gateway, workers/1')
    .option('--from <time>', 'not before, RFC 3339')
    .option('--to <time>', 'before, RFC 3339')
    .addOption(new Option('--order <order>', 'which first').choices(['oldest', 'newest']).default('oldest'))
    .option('--limit <n>', 'at most so many', '100')
    .action(query);
  example(withGateway(add('tail', 'records as they come, until Ctrl-C')), 'sallyport audit tail').action(tail);
  example(
    add('verify <folder>', 'whether a log is complete and unaltered; needs no gateway and no network'),
    'sallyport audit verify /var/lib/sallyport/audit --public-key gw-eastus-1.vkey --checkpoint last-month.checkpoint',
  )
    .option('--public-key <key>', 'the log’s verifier key, or a file that holds it; pin it, kept elsewhere than the log')
    .option('--checkpoint <file>', 'a checkpoint known from before: what was there then must still be there')
    .option('--recordings <folder>', 'the recordings, to be compared with the digests in the log')
    .action(async (folder: string, options: VerifyOptions & JsonOption) => {
      process.exitCode = await verifyFolder(folder, options);
    });
}

async function query(options: QueryOptions): Promise<void> {
  const client = await signedInClient(options);
  const { type, session, operation, target, principal, log, from, to, order } = options;
  const filter = { type, session, operation, target, principal, log, from, to, order };
  let missing = Number(options.limit);
  let sequence: NonNullable<AuditPage['next']> | undefined;
  do {
    const limit = Number.isFinite(missing) ? Math.min(missing, pageSize) : options.limit;
    const page: AuditPage = await client.get<AuditPage>('/api/v1/audit/records', { ...filter, limit, sequence });
    for (const record of page.records) printRecord(record, options.json === true);
    missing -= page.records.length;
    sequence = page.next ?? undefined;
  } while (sequence !== undefined && missing > 0);
}

async function tail(options: Options): Promise<void> {
  const client = await signedInClient(options);
  await follow(client, '/api/v1/audit/tail', ({ event, data }) => {
    if (event === 'record') printRecord(JSON.parse(data) as AuditRow, options.json === true);
  });
}

/** One line a record: what it is, then its own members, the longest last. */
function printRecord({ log, sequence, record }: AuditRow, json: boolean): void {
  if (json) return printJson({ ...(log === undefined ? {} : { log }), sequence, record }, 0);
  const where = log === undefined ? '' : `${log.padEnd(10)}  `;
  const { type, time, gateway: _gateway, v: _v, policy_version: _policy, ...rest } = record;
  const members = Object.entries(rest)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .sort((a, b) => a.length - b.length);
  print(`${where}${String(sequence).padStart(8)}  ${printable(time)}  ${printable(type).padEnd(19)}  ${oneLine(members.join(' '), 400)}`);
}

const pageSize = 500;

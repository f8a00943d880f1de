import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { SessionDetail, SessionList, SessionSummary, TranscriptPart } from '../../api/schema.ts';
import { segment } from '../client.ts';
import { Failure } from '../failure.ts';
import { example, signedInClient, subcommand, withGateway, withJson } from '../options.ts';
import type { GatewayOptions, JsonOption } from '../options.ts';
import {
  brokenLine,
  note,
  oneLine,
  print,
  printable,
  printFields,
  printJson,
  printStoredJson,
  printTable,
  relativeTime,
  statementLine,
} from '../terminal.ts';

type Options = GatewayOptions & JsonOption;

export function configure(command: Command): void {
  example(command, 'sallyport sessions list');
  const add = (name: string, summary: string): Command => withJson(withGateway(subcommand(command, name, summary)));
  example(add('list', 'live sessions, then the most recent ones on record'), 'sallyport sessions list --state live')
    .addOption(new Option('--state <state>', 'which ones').choices(['live', 'recent', 'all']).default('all'))
    .option('--target <name>', 'only sessions to this target')
    .option('--limit <n>', 'at most so many', '50')
    .action(list);
  example(add('show <id>', 'one session and its operations, as they are on record'), 'sallyport sessions show 01JD2V').action(show);
  example(add('replay <id>', 'what happened in the session, sensitive values masked'), 'sallyport sessions replay 01JD2V --speed 4')
    .option(
      '--asciicast [operation]',
      'the terminal of an operation (default: the first that has one) as asciicast v3, for any asciinema player',
    )
    .addOption(new Option('--format <format>', 'with --asciicast: v2 for asciinema before 3.0').choices(['v3', 'v2']).default('v3'))
    .option('--speed <factor>', '1: as it happened, 2: twice as fast (default: at once)', readSpeed)
    .action(play);
  example(
    add('watch <id>', 'what passes in a live session, as it passes; a moderated one runs while you do'),
    'sallyport sessions watch 01JD2V',
  ).action(watch);
  example(add('kill <id>', 'end a live session'), 'sallyport sessions kill 01JD2V --reason "runaway job"')
    .requiredOption('--reason <text>', 'why; the client is told')
    .action(kill);
}

async function list(options: Options & { state: string; target?: string; limit: string }): Promise<void> {
  const client = await signedInClient(options);
  const { state, target, limit } = options;
  const { sessions } = await client.get<SessionList>('/api/v1/sessions', { state, target, limit });
  if (options.json === true) return printJson(sessions);
  if (sessions.length === 0) return print('none');
  printTable(
    ['ID', 'STATE', 'TARGET', 'BY', 'FROM', 'STARTED', 'OPERATIONS'],
    sessions.map((session) => [
      session.id,
      session.state,
      session.target,
      oneLine(session.principal.display, 40),
      session.peer,
      relativeTime(session.started),
      String(session.operations ?? '?'),
    ]),
  );
}

async function show(id: string, options: Options): Promise<void> {
  const detail = await (await signedInClient(options)).get<SessionDetail>(`/api/v1/sessions/${segment(id)}`);
  if (options.json === true) return printJson(detail);
  printFields(fieldsOf(detail.session));
  print();
  printTable(
    ['OPERATION', 'DECISION', 'OUTCOME', 'ROWS', 'MASKED', 'STATEMENT'],
    detail.operations.map(({ id, decision, code, completed, ...statement }) => [
      id,
      code ?? decision,
      completed?.outcome ?? (decision === 'deny' ? '-' : 'unknown'),
      String(completed?.rows ?? '-'),
      String(Object.values(completed?.masked ?? {}).reduce((sum, cells) => sum + cells, 0)),
      statementLine(statement, 80),
    ]),
  );
  if (detail.truncated) print('(more are on record: use sallyport audit query)');
}

function fieldsOf(session: SessionSummary): readonly (readonly [string, string])[] {
  const { principal } = session;
  return [
    ['session', `${session.id} (${session.state})`],
    ['target', `${session.target} (${session.protocol})`],
    ['by', `${principal.display} (${principal.kind}, ${principal.issuer}, ${principal.subject})`],
    ['groups', principal.groups.join(', ') || 'none'],
    ['from', session.peer],
    ['started', session.started],
    ['ended', session.ended === null ? '-' : `${session.ended}: ${session.reason ?? ''}`],
    ['recording', session.recording === null ? '-' : `sha256 ${session.recording.sha256}, ${session.recording.bytes} bytes`],
  ];
}

async function play(id: string, options: Options & { speed?: number; asciicast?: string | true; format: 'v2' | 'v3' }): Promise<void> {
  const client = await signedInClient(options);
  const path = `/api/v1/sessions/${segment(id)}`;
  if (options.json === true) {
    await printStoredJson(client.bytes(`${path}/recording`));
    return;
  }
  const { asciicast, replay, readTimeline } = await import('../../recordings/index.ts');
  if (options.asciicast !== undefined) {
    const operation = options.asciicast === true ? undefined : options.asciicast;
    const write = (line: string): void => void process.stdout.write(line);
    const recorded = readTimeline(client.bytes(`${path}/recording`));
    const played = await asciicast(recorded, operation, write, options.format === 'v2' ? 2 : 3);
    if (!played) throw new Failure('nothing of this session was recorded as a stream', { hint: 'leave --asciicast out' });
    return;
  }
  const { session } = await client.get<SessionDetail>(path);
  const result = await replay(readTimeline(client.bytes(`${path}/recording`)), {
    write: (text) =>
      process.stdout.write(
        text
          .split('\n')
          .flatMap((line) => brokenLine(line, inReplay, process.stdout.columns))
          .join('\n'),
      ),
    speed: options.speed,
    wait: async (ms) => await pause(ms),
    sealed: session.recording ?? undefined,
  });
  if (result.unaltered === false || result.damagedLines > 0) {
    throw new Failure('this recording is not what was recorded', { hint: 'keep it as it is, and verify the audit log' });
  }
}

/** A line that breaks is not taken up again: a moderated session has been paused since, which whoever watched ought to know. */
async function watch(id: string, options: Options): Promise<void> {
  const client = await signedInClient(options);
  const { Harmless } = await import('../../recordings/index.ts');
  const screens = new Map<string, InstanceType<typeof Harmless>>();
  note(`watching ${printable(id)} until Ctrl-C; to end it: sallyport sessions kill ${printable(id)} --reason "…"`);
  for await (const { event, data } of client.events(`/api/v1/sessions/${segment(id)}/watch`)) {
    if (event === 'over') return note('the session is over');
    if (event === 'end') throw new Failure('the gateway ended the stream', { hint: 'run it again' });
    if (event !== 'transcript') continue;
    const part = JSON.parse(data) as TranscriptPart;
    if (options.json === true) printJson(part);
    else if (part.stream === 'output' || part.stream === 'error') {
      const screen = screens.get(part.stream) ?? new Harmless();
      screens.set(part.stream, screen);
      process.stdout.write(screen.shown(part.text));
    }
  }
  throw new Failure('the connection to the gateway broke', { hint: 'run it again' });
}

function readSpeed(text: string): number {
  const speed = Number(text);
  if (!(speed > 0 && speed <= 1_000)) throw new InvalidArgumentError('a speed is a number above 0, such as 1 or 4');
  return speed;
}

async function kill(id: string, options: Options & { reason: string }): Promise<void> {
  const answer = await (await signedInClient(options)).delete(`/api/v1/sessions/${segment(id)}`, { reason: options.reason });
  if (options.json === true) printJson(answer);
  else print(`${printable(id)} is ending`);
}

/** Columns: further in than every line of a replay that is not a statement's. */
const inReplay = 16;

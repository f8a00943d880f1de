import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Scene } from './scene.ts';
import { TourFailed } from './stage.ts';
import type { HeldApproval } from './step-approvals.ts';

export async function replayed(scene: Scene, approval: HeldApproval): Promise<void> {
  const { stage, truth } = scene;
  stage.step('The session, replayed', 'Uma, an auditor, sees what happened, with sensitive values masked as the client saw them.');
  const replay = await scene.cli('uma', 'sessions', 'replay', approval.session);
  stage.check(
    replay.code === 0 && replay.text.includes('delete from payments;') && replay.text.includes('100000 rows'),
    'the recording is the one that the audit log sealed by its digest',
    () => replay.text,
  );
  const { text } = await scene.quietCli('uma', 'sessions', 'list', '--limit', '50', '--json');
  const sessions = JSON.parse(text) as readonly { readonly id: string }[];
  const everything: string[] = [];
  for (const { id } of sessions) everything.push((await scene.quietCli('uma', 'sessions', 'replay', id)).text);
  const real = await truth.cells('select ssn from customers order by id limit 3');
  stage.check(
    sessions.length > 0 && real.every((ssn) => everything.every((recording) => !recording.includes(ssn))),
    `none of the SSNs of the first step is in any of the ${sessions.length} recordings`,
  );
}

export async function approvalsOnRecord(scene: Scene, approval: HeldApproval): Promise<void> {
  const { stage } = scene;
  stage.step('Who approved what, on record');
  const query = ['audit', 'query', '--type', 'approval.answered', '--limit', '1'];
  const answer = await scene.cli('uma', ...query);
  const { text } = await scene.quietCli('uma', ...query, '--json');
  const { record } = JSON.parse(text.trimEnd()) as { record: Record<string, unknown> };
  stage.check(
    answer.code === 0 &&
      record['approval'] === approval.id &&
      record['subject'] === 'dba-erin' &&
      record['answer'] === 'approved' &&
      record['reason'] === approval.reason,
    `${approval.id} was approved by dba-erin, reason “${approval.reason}”`,
    () => answer.text,
  );
}

export async function verifiedLog(scene: Scene): Promise<void> {
  const { stage, world, passes } = scene;
  stage.step(
    'The audit log, verified',
    'By a second implementation that shares no code with the gateway, from the files and a public key kept elsewhere.',
  );
  const verified = await scene.cli('uma', 'audit', 'verify', logFolder(world.folder), '--public-key', passes.logKeyFile);
  stage.check(verified.code === 0, 'complete and unaltered', () => verified.text);
}

export async function alteredCopy(scene: Scene): Promise<void> {
  const { stage, world, passes } = scene;
  stage.step('One byte of a copy is flipped, and found');
  const copy = join(world.folder, 'audit-copy');
  cpSync(logFolder(world.folder), copy, { recursive: true });
  const { file, offset } = flipByte(copy, 'ticket OPS-114');
  stage.heard(`In a copy of the log the reason “ticket OPS-114” now reads “ticket OPS-115”:`);
  stage.heard(`${relative(copy, file)}, byte ${offset}.`);
  stage.gap();
  const verified = await scene.cli('uma', 'audit', 'verify', copy, '--public-key', passes.logKeyFile);
  stage.check(verified.code === 1, 'not verified, and where', () => verified.text);
}

/** Changes the last byte of the text where the log's entries hold it. */
function flipByte(copy: string, text: string): { file: string; offset: number } {
  const entries = join(copy, 'tile', 'entries');
  const files = readdirSync(entries, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  // A partial bundle is kept for each checkpoint: the fullest counts.
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort((a, b) => readFileSync(b).length - readFileSync(a).length);
  for (const file of paths) {
    const bytes = readFileSync(file);
    const offset = bytes.indexOf(text) + text.length - 1;
    if (offset < text.length - 1) continue;
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
    writeFileSync(file, bytes);
    return { file, offset };
  }
  throw new TourFailed(`expected: an entry that holds “${text}”`);
}

function logFolder(folder: string): string {
  return join(folder, 'data', 'audit');
}

import { copyFileSync, cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { CliAnswer, Scene } from './scene.ts';
import { TourFailed } from './stage.ts';
import type { HeldApproval } from './step-approvals.ts';

export async function replayed(scene: Scene, approval: HeldApproval): Promise<void> {
  const { stage, truth } = scene;
  stage.step('The session, replayed', 'Uma, an auditor, sees what happened, with sensitive values masked as the client saw them.');
  const replay = await scene.cli('uma', ['sessions', 'replay', approval.session]);
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

/** Where the approval stands in the log, which from here on a checkpoint signs that the auditor has a copy of. */
export async function approvalsOnRecord(scene: Scene, approval: HeldApproval): Promise<number> {
  const { stage } = scene;
  stage.step('Who approved it, on record');
  const query = ['audit', 'query', '--type', 'approval.answered', '--limit', '1'];
  const answer = await scene.cli('uma', query);
  const { text } = await scene.quietCli('uma', ...query, '--json');
  const { sequence, record } = JSON.parse(text) as { sequence: number; record: Record<string, unknown> };
  stage.check(
    answer.code === 0 &&
      record['approval'] === approval.id &&
      record['subject'] === 'dba-erin' &&
      record['answer'] === 'approved' &&
      record['reason'] === approval.reason,
    `record ${sequence}: ${approval.id} was approved by dba-erin, reason “${approval.reason}”`,
    () => answer.text,
  );
  const checkpoint = join(scene.world.folder, logFolder, 'checkpoint');
  await scene.eventually(`a checkpoint signs record ${sequence}`, () => signedRecords(checkpoint) > sequence);
  stage.gap();
  stage.typed('uma$', `cp ${logFolder}/checkpoint ${keptCheckpoint}`);
  copyFileSync(checkpoint, join(scene.world.folder, keptCheckpoint));
  stage.check(
    signedRecords(join(scene.world.folder, keptCheckpoint)) > sequence,
    'she keeps a signed checkpoint: what it covers cannot be changed or cut off without her noticing',
  );
  return sequence;
}

export async function verifiedLog(scene: Scene): Promise<void> {
  const { stage } = scene;
  stage.step(
    'The audit log, verified',
    'By a second implementation that shares no code with the gateway, from the files, with a public key kept elsewhere.',
  );
  const verified = await verify(scene, logFolder);
  stage.check(verified.code === 0, 'complete and unaltered', () => verified.text);
}

export async function alteredCopy(scene: Scene, approval: HeldApproval, record: number): Promise<void> {
  const { stage, world } = scene;
  stage.step('One byte of a copy is changed, and found');
  stage.typed('mallory$', `cp -r ${logFolder} ${alteredFolder}`);
  const copy = join(world.folder, alteredFolder);
  cpSync(join(world.folder, logFolder), copy, { recursive: true });
  const { file, offset } = changeByte(join(copy, 'tile', 'entries'), approval.reason);
  stage.say(`In ${relative(world.folder, file)}, byte ${offset}, “${approval.reason}” becomes “ticket OPS-115”.`);
  const verified = await verify(scene, alteredFolder);
  stage.check(
    verified.code === 1 && verified.text.includes(`record ${record} `),
    `not verified, and where: record ${record}`,
    () => verified.text,
  );
}

async function verify(scene: Scene, folder: string): Promise<CliAnswer> {
  const words = [
    'audit',
    'verify',
    folder,
    '--public-key',
    'audit.vkey',
    '--checkpoint',
    keptCheckpoint,
    '--recordings',
    'data/recordings',
  ];
  return await scene.cli('uma', words, {
    only: /^complete|^NOT|^ {2}(altered|removed|rewritten|truncated|missing|size|outcomes|recordings)/,
  });
}

/** The second line of a checkpoint (C2SP tlog-checkpoint). */
function signedRecords(checkpoint: string): number {
  return Number(readFileSync(checkpoint, 'utf8').split('\n')[1]);
}

/** Changes the last byte of the text where the log's entries hold it: one bit. */
function changeByte(entries: string, text: string): { file: string; offset: number } {
  const files = readdirSync(entries, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  // A partial bundle is kept for each checkpoint: the fullest counts.
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort((a, b) => statSync(b).size - statSync(a).size);
  for (const file of paths) {
    const bytes = readFileSync(file);
    const offset = bytes.indexOf(text) + text.length - 1;
    if (offset < text.length) continue;
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
    writeFileSync(file, bytes);
    return { file, offset };
  }
  throw new TourFailed(`expected: an entry that holds “${text}”`);
}

/** In the demo's folder. */
const logFolder = 'data/audit';
const alteredFolder = 'altered-copy';
const keptCheckpoint = 'kept.checkpoint';

import { stat } from 'node:fs/promises';
import { LogFolder } from './files.ts';
import { Journal } from './journal.ts';
import { openCheckpoint, parseVerifierKey, type Checkpoint, type VerifierKey } from './note.ts';
import type { ApprovalBook } from './approvals.ts';
import { RecordChecker } from './records.ts';
import { Findings, type VerifyReport } from './report.ts';
import { takeSnapshot } from './snapshot.ts';
import type { Ties } from './ties.ts';
import { walkLog } from './walk.ts';

export interface VerifyOptions {
  /** `<data>/audit` of a gateway, or a copy, or the log of one worker. Nothing is written to it; a gateway may be at work on it. */
  readonly folder: string;
  /** The log's verifier key, kept elsewhere than the log. Without it the folder's own `log.pub` is believed, which the report says. */
  readonly publicKey?: string;
  /** Default: the name in the key. */
  readonly origin?: string;
  /** A checkpoint (signed note) that was kept elsewhere: the log must still begin with what it was signed for. */
  readonly knownCheckpoint?: string;
  /** Folder of the recordings whose digests are in the log; without it they are not checked. */
  readonly recordings?: string;
}

export interface OneOptions extends VerifyOptions {
  /** What `knownCheckpoint` is called where it is not borne out. */
  readonly knownAs?: string;
}

export interface OneResult {
  readonly report: Omit<VerifyReport, 'logs'>;
  readonly ties: Ties;
  readonly approvals: ApprovalBook;
}

/** Verifies one log, by itself. Throws as `verifyLog` does. */
export async function verifyOne(options: OneOptions): Promise<OneResult> {
  const pinned = options.publicKey === undefined ? undefined : parseVerifierKey(options.publicKey);
  if (!(await stat(options.folder)).isDirectory()) throw new Error(`${options.folder} is not a folder`);
  if (options.recordings !== undefined && !(await stat(options.recordings)).isDirectory()) {
    throw new Error(`${options.recordings} is not a folder`);
  }
  const findings = new Findings();
  const folder = new LogFolder(options.folder, findings);
  const key = await findKey(folder, pinned, findings);
  const records = new RecordChecker(options.folder, options.recordings, findings);
  const result = key === undefined ? NOTHING : await verifyWith(key, folder, options, records, findings);

  const summary = records.summary();
  const report = {
    ...result,
    records: result.size + result.uncheckpointed,
    origin: options.origin ?? key?.name ?? '',
    key: key?.line ?? '',
    keyPinned: pinned !== undefined,
    ...summary,
    notes: findings.notes,
    problems: findings.problems,
    problemsNotListed: findings.notListed,
  };
  const ok = findings.count === 0;
  const said = ok ? statement(report) : `NOT verified: ${counted(findings.count, 'problem')}`;
  return { report: { ok, statement: said, ...report }, ties: records.ties, approvals: records.approvals };
}

/** What signatures are checked with: the pinned key, else the folder's own. */
async function findKey(folder: LogFolder, pinned: VerifierKey | undefined, findings: Findings): Promise<VerifierKey | undefined> {
  const bytes = await folder.read('log.pub', MAX_KEY_BYTES);
  if (bytes === undefined) findings.problem('missing', 'log.pub', 'the log’s copy of its key is gone');
  let own: VerifierKey | undefined;
  try {
    if (bytes !== undefined) own = parseVerifierKey(bytes.toString('utf8'));
  } catch (error) {
    findings.problem('altered', 'log.pub', (error as Error).message);
  }
  if (own !== undefined && !bytes!.equals(Buffer.from(`${own.line}\n`))) findings.problem('altered', 'log.pub', 'is not one line');
  if (pinned !== undefined && own !== undefined && own.line !== pinned.line) {
    findings.problem('wrong-key', 'log.pub', `holds ${own.line}, which is not the key given`);
  }
  return pinned ?? own;
}

type Result = Pick<VerifyReport, 'size' | 'root' | 'uncheckpointed' | 'checkpoints' | 'knownCheckpoint' | 'tornBytes'>;

async function verifyWith(
  key: VerifierKey,
  folder: LogFolder,
  options: OneOptions,
  records: RecordChecker,
  findings: Findings,
): Promise<Result> {
  const origin = options.origin ?? key.name;
  const knownAs = options.knownAs ?? 'kept checkpoint';
  const known = openKnown(options.knownCheckpoint, knownAs, key, origin, findings);
  const snapshot = await takeSnapshot(folder, key, origin, known && { ...known, as: knownAs }, findings);
  const journal = new Journal(folder, snapshot.segments, snapshot.size, findings);
  try {
    const { uncheckpointed, knownHolds } = await walkLog(folder, snapshot, journal, records, findings);
    journal.checkEnd();
    if (journal.tornBytes > 0) findings.note(`the journal ends in ${journal.tornBytes} bytes that a crash left half written`);
    const contained = known !== undefined && known.size <= snapshot.size && knownHolds;
    const newest = snapshot.claims.findLast((claim) => !claim.known);
    return {
      size: snapshot.size,
      root: newest === undefined ? '' : Buffer.from(newest.root, 'latin1').toString('base64'),
      uncheckpointed,
      checkpoints: snapshot.entries,
      knownCheckpoint: options.knownCheckpoint === undefined ? 'none' : contained ? 'contained' : 'not contained',
      tornBytes: journal.tornBytes,
    };
  } finally {
    await journal.close();
  }
}

function openKnown(
  note: string | undefined,
  knownAs: string,
  key: VerifierKey,
  origin: string,
  findings: Findings,
): Checkpoint | undefined {
  if (note === undefined) return undefined;
  const opened = openCheckpoint(Buffer.from(note), key, origin);
  if (opened.ok) return opened.checkpoint;
  findings.problem(opened.kind, knownAs, opened.detail);
  return undefined;
}

function statement(report: Omit<VerifyReport, 'ok' | 'statement' | 'logs'>): string {
  const parts = [`complete, unaltered: ${counted(report.size, 'record')} signed by ${counted(report.checkpoints, 'checkpoint')}`];
  if (report.uncheckpointed > 0) parts.push(`${report.uncheckpointed} more durable and not signed yet`);
  if (report.knownCheckpoint === 'contained') parts.push('contains the kept checkpoint');
  else parts.push('without a kept checkpoint it cannot be seen whether the newest records were cut off');
  if (!report.keyPinned) parts.push('the key was not pinned but taken from the folder itself');
  return parts.join('; ');
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

const NOTHING: Result = { size: 0, root: '', uncheckpointed: 0, checkpoints: 0, knownCheckpoint: 'none', tornBytes: 0 };
const MAX_KEY_BYTES = 4096;

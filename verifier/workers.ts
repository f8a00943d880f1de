import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApprovalBook } from './approvals.ts';
import { LogFolder } from './files.ts';
import { verifyOne, type OneResult, type VerifyOptions } from './one.ts';
import { Findings, type LogReport } from './report.ts';
import { workerLogName, type NamedLog, type UseElsewhere } from './ties.ts';

/**
 * The logs of a gateway's workers, each verified like its own, and with it: that each log is there which the gateway's own log names, under the key
 * that is on record for it, and begins with what the newest checkpoint of it on record signs; that no log is there that nobody named; that
 * operations ran only on approvals that the own log bears out. Resolves to the workers' reports; what is wrong between logs goes to `findings`.
 */
export async function verifyWorkers(options: VerifyOptions, own: OneResult, findings: Findings): Promise<readonly LogReport[]> {
  const found = (await new LogFolder(options.folder, findings).list('workers')).map((name) => `workers/${name}`);
  const names = new Set([...own.ties.named.keys(), ...found]);
  const reports: LogReport[] = [];
  const uses: { readonly log: string; readonly use: UseElsewhere }[] = [];
  for (const log of [...names].sort(byNumber)) {
    const result = await verifyWorker(options, log, own.ties.named.get(log), findings);
    if (result === undefined) continue;
    reports.push({ log, report: result.report });
    for (const use of result.ties.uses) uses.push({ log, use });
  }
  await checkUses(options, own.approvals, uses, findings);
  return reports;
}

async function verifyWorker(
  options: VerifyOptions,
  log: string,
  named: NamedLog | undefined,
  findings: Findings,
): Promise<OneResult | undefined> {
  const number = Number(workerLogName.exec(log)?.[1]);
  if (Number.isNaN(number)) {
    const how = named === undefined ? 'is no log of a worker' : `is named by record ${named.record} and is no name of a worker’s log`;
    findings.problem('malformed', log, how);
    return undefined;
  }
  const folder = join(options.folder, log);
  if (!(await isFolder(folder))) {
    findings.problem('missing', log, `this log is gone; record ${named?.record} of the gateway’s own log tells that there was one`);
    return undefined;
  }
  const [key, ...others] = named?.keys ?? [];
  if (others.length > 0) findings.problem('wrong-key', log, `${others.length + 1} different keys are on record for this log`);
  const result = await verifyOne({
    folder,
    ...(key === undefined ? {} : { publicKey: key }),
    ...(named?.checkpoint === undefined ? {} : { knownCheckpoint: named.checkpoint.note }),
    ...(options.recordings === undefined ? {} : { recordings: options.recordings }),
    knownAs: `checkpoint of record ${named?.checkpoint?.record} in the gateway’s own log`,
  });
  const { worker, sessions } = result.ties;
  if (named === undefined && sessions > 0) findings.problem('inserted', log, 'no record of the gateway’s own log tells of this log');
  else if (named === undefined) findings.note(`${log} is not on record in the gateway’s own log; nobody has had a session in it`);
  if (result.report.records > 0 && worker !== number) findings.problem('bookkeeping', log, `says that it is the log of ${nameOf(worker)}`);
  return result;
}

/**
 * An approval's records are durable before the operation runs, so whoever reads the worker's log first and the gateway's own log afterwards finds
 * them. The own log was read first, for its checkpoints: where an approval is unknown, it is read once more.
 */
async function checkUses(
  options: VerifyOptions,
  approvals: ApprovalBook,
  uses: readonly { readonly log: string; readonly use: UseElsewhere }[],
  findings: Findings,
): Promise<void> {
  const isKnown = uses.every(({ use }) => approvals.knows(use.approval));
  const book = isKnown ? approvals : (await verifyOne(options)).approvals;
  for (const { log, use } of uses) {
    book.usedElsewhere(use, (kind, detail) => findings.problem(kind, `${log}: record ${use.record}`, detail));
  }
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false;
      throw error;
    },
  );
}

function nameOf(worker: number | undefined): string {
  return worker === undefined ? 'a gateway, not of a worker' : `worker ${worker}`;
}

function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

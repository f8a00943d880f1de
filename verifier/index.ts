import { counted, verifyOne, type VerifyOptions } from './one.ts';
import { Findings, type VerifyReport } from './report.ts';
import { verifyWorkers } from './workers.ts';

export { describeReport } from './describe.ts';
export type { VerifyOptions } from './one.ts';
export type { LogReport, Problem, ProblemKind, UnknownOutcome, VerifyReport } from './report.ts';

/**
 * Verifies an audit log, and those of its gateway's workers, by what is written in docs/reference/audit-log.md alone: this folder shares no code with
 * the gateway. What is wrong is in the report. Throws an `Error` where nothing can be said: no such folder, a key that does not parse, a
 * disk that cannot be read.
 */
export async function verifyLog(options: VerifyOptions): Promise<VerifyReport> {
  const own = await verifyOne(options);
  const between = new Findings();
  const logs = await verifyWorkers(options, own, between);
  const { uses, worker } = own.ties;
  if (worker !== undefined && uses.length > 0) {
    between.note(`${counted(uses.length, 'operation')} ran on approvals: their records are in the gateway’s own log, two folders up`);
  } else {
    for (const use of uses) own.approvals.usedElsewhere(use, (kind, detail) => between.problem(kind, `record ${use.record}`, detail));
  }
  for (const { log, report } of logs) {
    for (const { kind, where, detail } of report.problems) between.problem(kind, `${log}: ${where}`, detail);
  }
  const problems = [...own.report.problems, ...between.problems];
  const notListed = [own.report, ...logs.map(({ report }) => report)].reduce((total, report) => total + report.problemsNotListed, 0);
  const count = problems.length + between.notListed + notListed;
  const statement =
    count > 0 ? `NOT verified: ${counted(count, 'problem')}` : own.report.statement + (logs.length === 0 ? '' : `; and ${ofWorkers(logs)}`);
  return {
    ...own.report,
    ok: count === 0,
    statement,
    problems,
    problemsNotListed: between.notListed + notListed,
    notes: [...own.report.notes, ...between.notes],
    logs,
  };
}

function ofWorkers(logs: VerifyReport['logs']): string {
  const records = logs.reduce((total, { report }) => total + report.records, 0);
  return `${counted(logs.length, 'log')} of workers with ${counted(records, 'record')}, each held by its checkpoints on record`;
}

import type { VerifyReport } from './report.ts';

/** The report for a terminal: lines that are safe to print, the verdict first. */
export function describeReport(report: VerifyReport): string[] {
  const own = [report.statement, '', ...problemsOf(report), ...figures(report)];
  const workers = report.logs.flatMap(({ log, report: of }) => ['', `${log}: ${of.statement}`, '', ...figures(of)]);
  return [...own, ...workers].map(printable);
}

/** Those of workers' logs are among them. */
function problemsOf(report: VerifyReport): string[] {
  if (report.ok) return [];
  return [
    ...report.problems.map(({ kind, where, detail }) => `  ${kind}: ${where}: ${detail}`),
    ...(report.problemsNotListed === 0 ? [] : [`  and ${report.problemsNotListed} more problems`]),
    '',
  ];
}

function figures(report: Omit<VerifyReport, 'logs'>): string[] {
  const { decidedWithoutCompletion: unknown, sessionsOpen, recordings, bodies, times } = report;
  return [
    `  log          ${report.origin}`,
    `  key          ${report.key} (${report.keyPinned ? 'pinned' : 'not pinned: taken from the folder itself'})`,
    `  size         ${report.size} signed records, ${report.uncheckpointed} not signed yet`,
    `  root         ${report.root}`,
    `  checkpoints  ${report.checkpoints}; the kept one: ${report.knownCheckpoint}`,
    `  written      ${times.first} to ${times.last}`,
    `  durability   ${report.durability.join(', ')}`,
    `  sessions     ${sessionsOpen.open} open, ${sessionsOpen.ended} cut off`,
    `  outcomes     ${unknown.count} operations with unknown outcome`,
    ...unknown.first.map(({ operation, record }) => `               ${operation} (decided in record ${record})`),
    `  bodies       ${bodies.checked} checked, ${bodies.missing} missing, ${bodies.altered} altered`,
    `  recordings   ${recordings.checked} checked, ${recordings.missing} missing, ${recordings.altered} altered`,
    ...report.notes.map((note) => `  note: ${note}`),
  ];
}

/** A log holds what others have typed: nothing of it may move the cursor, or show as what it is not. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) =>
    Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}

const UNPRINTABLE = /(?![ \n])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/gu;

import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { verifyLog, type VerifyReport } from './index.ts';

/** The verifier as a command of its own. Exit code 0: whole; 1: it is not, or could not be read; 2: wrong usage. */
async function main(args: readonly string[]): Promise<0 | 1 | 2> {
  let asked: ReturnType<typeof parse>;
  try {
    asked = parse(args);
    if (asked.values.help === true) {
      process.stdout.write(HELP);
      return 0;
    }
    if (asked.positionals.length !== 1) throw new Error('name one folder');
  } catch (error) {
    return fail((error as Error).message, 2);
  }
  const { values, positionals } = asked;
  let options: Parameters<typeof verifyLog>[0];
  try {
    options = {
      folder: positionals[0]!,
      ...(values.key === undefined ? {} : { publicKey: await keyLine(values.key) }),
      ...(values.origin === undefined ? {} : { origin: values.origin }),
      ...(values.checkpoint === undefined ? {} : { knownCheckpoint: await readFile(values.checkpoint, 'utf8') }),
      ...(values.recordings === undefined ? {} : { recordings: values.recordings }),
    };
  } catch (error) {
    return fail((error as Error).message, 2);
  }
  try {
    const report = await verifyLog(options);
    process.stdout.write(`${values.json === true ? printable(JSON.stringify(report, undefined, 2)) : describe(report).join('\n')}\n`);
    return report.ok ? 0 : 1;
  } catch (error) {
    return fail((error as Error).message, 1);
  }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      key: { type: 'string' },
      origin: { type: 'string' },
      checkpoint: { type: 'string' },
      recordings: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}

/** A verifier key as it is, or a file that holds one. */
async function keyLine(keyOrFile: string): Promise<string> {
  return /^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/.test(keyOrFile) ? keyOrFile : (await readFile(keyOrFile, 'utf8')).trim();
}

function describe(report: VerifyReport): string[] {
  const { decidedWithoutCompletion: unknown, sessionsOpen, recordings, bodies, times } = report;
  const lines = [
    report.statement,
    '',
    ...report.problems.map(({ kind, where, detail }) => `  ${kind}: ${where}: ${detail}`),
    ...(report.problemsNotListed === 0 ? [] : [`  and ${report.problemsNotListed} more problems`]),
    ...(report.ok ? [] : ['']),
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
  return lines.map(printable);
}

function fail(message: string, code: 1 | 2): 1 | 2 {
  process.stderr.write(`verify: ${printable(message)}\n${code === 2 ? 'hint: --help shows how it is used\n' : ''}`);
  return code;
}

/** A log holds what others have typed: nothing of it may move the cursor, or show as what it is not. */
function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) =>
    Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}

const UNPRINTABLE = /(?![ \n])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/gu;
const HELP = `Verifies an audit log offline: whether it is complete and unaltered, and if not, where.

Usage: node verifier/main.ts <folder> [options]

  <folder>              the log: <data>/audit of a gateway, or a copy of it
  --key <key>           the log's public key (name+id+base64), or a file that holds it; keep it elsewhere than the log.
                        Without it the folder's own log.pub is believed
  --checkpoint <file>   a checkpoint kept elsewhere: the log must still begin with what it was signed for
  --recordings <dir>    the recordings, to be compared with the digests in the log
  --origin <name>       the log's name in its checkpoints (default: the name in the key)
  --json                print the whole report as JSON
  -h, --help            show this

Exit code: 0 complete and unaltered, 1 not so or not readable, 2 wrong usage.

Example:
  node verifier/main.ts /var/lib/sallyport/audit --key gw-1.vkey --checkpoint last-month.checkpoint
`;

process.exitCode = await main(process.argv.slice(2));

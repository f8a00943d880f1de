import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { describeReport, printable } from './describe.ts';
import { verifyLog } from './index.ts';

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
    process.stdout.write(`${values.json === true ? printable(JSON.stringify(report, undefined, 2)) : describeReport(report).join('\n')}\n`);
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

function fail(message: string, code: 1 | 2): 1 | 2 {
  process.stderr.write(`verify: ${printable(message)}\n${code === 2 ? 'hint: --help shows how it is used\n' : ''}`);
  return code;
}

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

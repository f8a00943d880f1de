import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';

/** What a program did. */
export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** It is killed then, and the promise rejects. */
  readonly timeoutMs?: number;
  /** Told the process, to send it signals. */
  readonly started?: (child: ChildProcess) => void;
}

export async function runProgram(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = spawn(program, args, {
    env: { ...process.env, ...quietEnvironment, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  options.started?.(child);
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A program that does not read its input is no failure of the test.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const limit = options.timeoutMs ?? 60_000;
  return await new Promise<Ran>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(
        new Error(
          `${program} did not end within ${limit / 1000} s; it said:\n${Buffer.concat([...stdout, ...stderr])
            .toString('utf8')
            .slice(-2000)}`,
        ),
      );
    }, limit);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) });
    });
  });
}

/** Everything that a user of the program would notice, as text to compare. Output that is long or no text is told by length and digest. */
export function shown({ code, signal, stdout, stderr }: Ran): string {
  const parts = [`exit ${signal ?? code}`];
  if (stdout.length > 0) parts.push(`stdout ${content(stdout)}`);
  if (stderr.length > 0) parts.push(`stderr ${content(stderr)}`);
  return parts.join('\n');
}

function content(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (bytes.length > 4096 || !Buffer.from(text).equals(bytes))
    return `${bytes.length} bytes, ${createHash('sha256').update(bytes).digest('hex')}`;
  return JSON.stringify(text);
}

/** Nothing of whoever runs the tests, and English messages. */
const quietEnvironment = { LC_ALL: 'C.UTF-8', LANG: undefined, SSH_AUTH_SOCK: undefined, SSH_ASKPASS: undefined, DISPLAY: undefined };

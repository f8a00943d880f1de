import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { answerTimeoutMs, type Answer, type SqlLogin, type SqlSession } from './sql-session.ts';

/** The stock client, where it is installed and can tell us when a statement is answered (`\warn`: PostgreSQL 13). */
export function psqlVersion(): string | undefined {
  const { stdout, status } = spawnSync('psql', ['--version'], { encoding: 'utf8' });
  const version = status === 0 ? /\d+(\.\d+)?/.exec(stdout)?.[0] : undefined;
  return Number.parseInt(version ?? '0', 10) >= 13 ? version : undefined;
}

/** `psql` as a process of its own, fed like a terminal would; nothing of the caller's settings reaches it. */
export function openPsql(login: SqlLogin): SqlSession {
  // One stream for both outputs, so that errors and notices stand where they belong.
  const child = spawn('sh', ['-c', 'exec psql "$@" 2>&1', 'psql', '-X', login.connection], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', LC_ALL: 'C.UTF-8', PGPASSWORD: login.token, PGCONNECT_TIMEOUT: '20' },
    stdio: ['pipe', 'pipe', 'inherit'],
    signal: login.signal,
  });
  const closed = once(child, 'close').catch(() => {});
  // Where it has gone, the line below says so.
  child.stdin.on('error', () => {});
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  void closed.then(() => process.off('exit', kill));
  const output = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  async function run(statement: string, heard: (line: string) => void = () => {}): Promise<Answer> {
    let late = false;
    const overdue = setTimeout(() => {
      late = true;
      kill();
    }, answerTimeoutMs);
    const lines: string[] = [];
    try {
      child.stdin.write(`${statement}\n\\warn ${mark} :SQLSTATE\n`);
      for (;;) {
        const { value: line, done } = await output.next();
        if (done === true) {
          throw new Error([late ? `no answer within ${answerTimeoutMs / 1000} s` : 'psql ended', ...lines].join('\n'));
        }
        if (line.startsWith(mark)) return { lines, sqlstate: line.slice(mark.length).trim() };
        lines.push(line);
        heard(line);
      }
    } finally {
      clearTimeout(overdue);
    }
  }

  return {
    run,
    rowsAlone: async (on) => void (await run(String.raw`\pset tuples_only ${on ? 'on' : 'off'}`)),
    close: async () => {
      child.stdin.end('\\q\n');
      const overdue = setTimeout(kill, 5_000);
      await closed;
      clearTimeout(overdue);
    },
  };
}

const mark = '~answered~';

import { execFile } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { connectionString } from '../connection.ts';
import type { Holder, Passes } from '../passes.ts';
import type { DemoWorld } from '../world.ts';
import { openDriver } from './driver.ts';
import { openPsql } from './psql.ts';
import type { Answer, SqlLogin, SqlSession } from './sql-session.ts';
import { TourFailed, type Stage } from './stage.ts';
import type { Truth } from './truth.ts';

export interface CliAnswer {
  readonly code: number;
  /** Both outputs, as a terminal shows them. */
  readonly lines: readonly string[];
  readonly text: string;
}

/** What every step of the tour works with. */
export class Scene {
  readonly world: DemoWorld;
  readonly passes: Passes;
  readonly stage: Stage;
  readonly truth: Truth;
  readonly #stockClient: boolean;
  /** Aborted when the tour is to end. */
  readonly signal: AbortSignal;

  constructor(parts: { world: DemoWorld; passes: Passes; stage: Stage; truth: Truth; stockClient: boolean; signal: AbortSignal }) {
    this.world = parts.world;
    this.passes = parts.passes;
    this.stage = parts.stage;
    this.truth = parts.truth;
    this.#stockClient = parts.stockClient;
    this.signal = parts.signal;
  }

  /** A session through the gateway with this one's token as the password. The user name is free. */
  async session(holder: Holder): Promise<SqlSession> {
    const user = holder === 'pipeline' ? 'ci' : holder;
    const login: SqlLogin = {
      port: this.world.postgresPort,
      user,
      token: await this.passes.token(holder),
      authorityFile: this.world.authorityFile,
      connection: connectionString(this.world, user),
      signal: this.signal,
    };
    return this.#stockClient ? openPsql(login) : await openDriver(login);
  }

  /** Shows a statement and, as it comes, what is answered. */
  async sql(session: SqlSession, statement: string): Promise<Answer> {
    this.signal.throwIfAborted();
    this.stage.typed('orders=>', statement);
    return await session.run(statement, (line) => this.stage.heard(line));
  }

  /** Shows a command of the real command line, run in this one's name, and what it prints; `only`: lines that match, if any do. */
  async cli(holder: Holder, words: readonly string[], { only = /^/ }: { only?: RegExp } = {}): Promise<CliAnswer> {
    this.signal.throwIfAborted();
    this.stage.typed(`${holder}$`, ['sallyport', ...words.map(shown)].join(' '));
    const answer = await this.quietCli(holder, ...words);
    const matching = answer.lines.filter((line) => only.test(line));
    const lines = matching.length === 0 ? answer.lines : matching;
    for (const line of lines) this.stage.heard(line);
    if (lines.length < answer.lines.length) this.stage.say(`(${answer.lines.length - lines.length} more lines)`);
    return answer;
  }

  async quietCli(holder: Holder, ...words: readonly string[]): Promise<CliAnswer> {
    const { program, parameters, env } = await this.passes.commandLine(holder);
    return await new Promise((resolve, reject) => {
      const options = {
        cwd: this.world.folder,
        env: { PATH: process.env['PATH'], ...env },
        signal: this.signal,
        timeout: 60_000,
        maxBuffer: 16 * 1024 * 1024,
      };
      execFile(program, [...parameters, ...words], options, (error, stdout, stderr) => {
        const text = stdout + stderr;
        const code = error === null ? 0 : error.code;
        if (typeof code === 'number') resolve({ code, text, lines: text.trimEnd().split('\n') });
        else reject(error ?? new Error('the command line did not end'));
      });
    });
  }

  async eventually(what: string, holds: () => boolean): Promise<void> {
    const deadlineMs = performance.now() + 30_000;
    while (!holds()) {
      if (performance.now() > deadlineMs) throw new TourFailed(`expected: ${what}\nfound: not within 30 s`);
      await pause(100, undefined, { signal: this.signal });
    }
  }
}

/** A word as it is typed in a shell. */
function shown(word: string): string {
  return /^[\w./,:=@+-]+$/.test(word) ? word : `"${word}"`;
}

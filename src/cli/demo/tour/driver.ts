import { readFileSync } from 'node:fs';
import pg from 'pg';
import { answerTimeoutMs, type Answer, type SqlLogin, type SqlSession } from './sql-session.ts';

/** node-postgres in the place of `psql`, its answers written as `psql` writes them. */
export async function openDriver(login: SqlLogin): Promise<SqlSession> {
  const client = new pg.Client({
    host: 'localhost',
    port: login.port,
    database: 'orders',
    user: login.user,
    password: login.token,
    ssl: { ca: readFileSync(login.authorityFile, 'utf8') },
    connectionTimeoutMillis: 20_000,
    query_timeout: answerTimeoutMs,
    types: { getTypeParser: () => String },
  });
  // Whoever waits for an answer is told.
  client.on('error', () => {});
  let hear = (_line: string): void => {};
  client.on('notice', (notice) => messageLines(notice).forEach((line) => hear(line)));
  const abort = (): void => void client.end().catch(() => {});
  login.signal.addEventListener('abort', abort, { once: true });
  await client.connect();
  let rowsAlone = false;

  return {
    run: async (statement, heard = () => {}): Promise<Answer> => {
      const lines: string[] = [];
      hear = (line) => {
        lines.push(line);
        heard(line);
      };
      try {
        const result = await client.query<(string | null)[]>({ text: statement, rowMode: 'array' });
        for (const line of resultLines(result, rowsAlone)) hear(line);
        return { lines, sqlstate: '00000' };
      } catch (error) {
        if (!(error instanceof pg.DatabaseError)) throw error;
        for (const line of messageLines(error)) hear(line);
        return { lines, sqlstate: error.code ?? '' };
      }
    },
    rowsAlone: async (on) => {
      rowsAlone = on;
    },
    close: async () => {
      login.signal.removeEventListener('abort', abort);
      await client.end();
    },
  };
}

function messageLines({ severity, message, detail, hint }: pg.DatabaseError | NoticeFields): readonly string[] {
  return [
    `${severity}:  ${message}`,
    ...(detail === undefined ? [] : [`DETAIL:  ${detail}`]),
    ...(hint === undefined ? [] : [`HINT:  ${hint}`]),
  ];
}

type NoticeFields = Pick<pg.DatabaseError, 'severity' | 'detail' | 'hint'> & { readonly message?: string | undefined };

/** Aligned columns, or the command's tag where there are no columns. */
function resultLines({ command, rowCount, fields, rows }: pg.QueryArrayResult<(string | null)[]>, rowsAlone: boolean): readonly string[] {
  if (fields.length === 0) return [rowCount === null ? command : `${command} ${rowCount}`];
  const cells = rows.map((row) => row.map((cell) => cell ?? ''));
  const names = fields.map((field) => field.name);
  const widths = names.map((name, column) => Math.max(rowsAlone ? 0 : name.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[], pad: (text: string, width: number) => string): string =>
    row.map((cell, column) => ` ${pad(cell, widths[column] ?? 0)} `).join('|');
  const body = cells.map((row) => line(row, (text, width) => text.padEnd(width)).trimEnd());
  if (rowsAlone) return body;
  return [
    line(names, centred),
    widths.map((width) => '-'.repeat(width + 2)).join('+'),
    ...body,
    `(${cells.length} row${cells.length === 1 ? '' : 's'})`,
  ];
}

function centred(text: string, width: number): string {
  return text.padStart(text.length + Math.floor((width - text.length) / 2)).padEnd(width);
}

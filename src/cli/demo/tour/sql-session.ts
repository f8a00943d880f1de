/** One session with a database, seen as `psql` shows it. */
export interface SqlSession {
  /** Sends one statement. `heard` gets each line as it comes. Rejects where the session ends first. */
  run(statement: string, heard?: (line: string) => void): Promise<Answer>;
  /** Rows alone, without column names and count. */
  rowsAlone(on: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface Answer {
  readonly lines: readonly string[];
  /** SQLSTATE; `00000` where the statement went through. */
  readonly sqlstate: string;
}

export interface SqlLogin {
  readonly port: number;
  readonly user: string;
  readonly token: string;
  /** PEM file. */
  readonly authorityFile: string;
  readonly connection: string;
  readonly signal: AbortSignal;
}

/** No statement of the tour takes so long, held ones included. */
export const answerTimeoutMs = 60_000;

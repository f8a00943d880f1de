/** One thing wrong with the configuration, and exactly where. `line` and `column` count from 1. */
export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The key's path in the file, such as `targets.orders.upstream.port`; empty for the file as a whole. */
  readonly path: string;
  /** What was expected. Never the value that was found: it may be a secret in the wrong place. */
  readonly message: string;
}

/** The configuration was refused as a whole. The message has one line a problem, `file:line:column: path: what was expected`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];
  /** What was looked at, so that a watcher notices when it is put right. */
  readonly watched: readonly string[];

  constructor(problems: readonly ConfigProblem[], watched: readonly string[]) {
    const inOrder = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
    super(inOrder.map(formatProblem).join('\n'));
    this.problems = inOrder;
    this.watched = watched;
  }
}

function formatProblem(problem: ConfigProblem): string {
  const where = `${problem.file}:${problem.line}:${problem.column}`;
  return problem.path === '' ? `${where}: ${problem.message}` : `${where}: ${problem.path}: ${problem.message}`;
}

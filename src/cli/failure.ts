/** What a command could not do, in one line for people, with what to do next. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly hint: string | undefined;
  readonly exitCode: 1 | 2;
  /** Everything that is wrong, one line each, printed before the message: `file:line:column: …`. */
  readonly lines: readonly string[];

  constructor(message: string, options: { hint?: string | undefined; exitCode?: 1 | 2; lines?: readonly string[]; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? 1;
    this.lines = options.lines ?? [];
  }
}

/** The command was written wrongly: exit code 2. */
export function usage(message: string, hint?: string): Failure {
  return new Failure(message, { hint, exitCode: 2 });
}

/** What a thrown value says, with the cause that network errors hide one level down. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof AggregateError ? error.cause.errors[0] : error.cause;
  if (cause instanceof Error) return 'code' in cause && cause.message === '' ? String(cause.code) : cause.message;
  return error.message;
}

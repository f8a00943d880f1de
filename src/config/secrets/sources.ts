/** From what secrets are read. */
export interface SecretSources {
  /** Absolute folder that `file:` is relative to. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fetch: typeof fetch;
  /** Milliseconds since 1970: requests to AWS are signed with the time. */
  readonly now: () => number;
}

/** A secret that cannot be read. The message names its reference and what to do, never a value. */
export class SecretProblem extends Error {
  override readonly name = 'SecretProblem';
}

/** An environment variable that a reference or its store needs. */
export function readEnvironment(name: string, sources: Pick<SecretSources, 'env'>): string {
  const value = sources.env[name];
  if (value === undefined || value === '') throw new SecretProblem(`expected the environment variable ${name} to be set`);
  return value;
}

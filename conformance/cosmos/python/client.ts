import { run } from '../../harness.ts';

/** How a call ended: with what it gave (queries: page by page), or as the SDK tells an error of the service. */
export type Outcome =
  | { readonly result: unknown; readonly masked: string | null }
  | { readonly status: number; readonly substatus: number | null; readonly message: string };

/** A method of `CosmosClient`, and what it is given. */
export type Call = readonly [string, ...unknown[]];

export interface PythonWay {
  readonly endpoint: string;
  /** As the constructor takes it. */
  readonly auth: Readonly<Record<string, unknown>>;
  /** What certificates are checked by. */
  readonly ca: string;
}

/** Debian's `python3-azure-cosmos` (3.1): one client, and these calls in order. */
export async function pythonCalls(way: PythonWay, calls: readonly Call[]): Promise<readonly Outcome[]> {
  const script = new URL('client.py', import.meta.url).pathname;
  const { status, stdout, stderr } = await run('/usr/bin/python3', [script], process.env, JSON.stringify({ ...way, calls }));
  if (status !== 0) throw new Error(`azure-cosmos of Python failed: ${stderr}`);
  return JSON.parse(stdout) as readonly Outcome[];
}

/**
 * The token as 3.1 can send one, which knows keys and resource tokens only: it sends the text that it has under a resource's name as it is, for all that is below
 * this resource, and the first of all for the account.
 */
export function tokenAuth(database: string, token: string): PythonWay['auth'] {
  return { resourceTokens: { [database]: `type=aad&ver=1.0&sig=${token}` } };
}

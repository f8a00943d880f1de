import type { SecretProblem, SecretSources } from './sources.ts';

export interface JsonRequest {
  /** What is asked, for messages: `Azure Key Vault`. */
  readonly service: string;
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * One request to a secret store: no redirect is followed, 10 seconds and 1 MiB at most. Neither the answer nor a token ever stands in
 * a problem's text.
 */
export async function requestJson(
  request: JsonRequest,
  sources: Pick<SecretSources, 'fetch'>,
  problem: (message: string) => SecretProblem,
): Promise<unknown> {
  let text: string;
  try {
    const response = await sources.fetch(request.url, {
      method: request.method,
      headers: request.headers,
      ...(request.body === undefined ? {} : { body: request.body }),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw problem(`${request.service} answered ${response.status}${meaning.get(response.status) ?? ''}`);
    }
    text = await readLimited(response);
  } catch (error) {
    if (error instanceof Error && error.name === 'SecretProblem') throw error;
    throw problem(`${request.service} could not be reached or did not answer properly`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw problem(`${request.service} did not answer with JSON`);
  }
}

/** The text at a path of nested objects; undefined where there is none. */
export function textAt(data: unknown, ...path: readonly string[]): string | undefined {
  let value = data;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return typeof value === 'string' ? value : undefined;
}

async function readLimited(response: Response): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maximumBytes) throw new RangeError('answer too large');
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

const timeoutMs = 10_000;
const maximumBytes = 1024 * 1024;
const meaning: ReadonlyMap<number, string> = new Map([
  [400, ' (bad request)'],
  [401, ' (not signed in)'],
  [403, ' (access denied)'],
  [404, ' (no such secret)'],
]);

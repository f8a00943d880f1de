import { GatewayFault } from '../../core/fault.ts';

/** What one request to a token service brought. */
export interface TokenServiceAnswer {
  readonly status: number;
  /** Undefined where it is no JSON object. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Fetches as `fetch` does, but for ten seconds and 256 KiB at most, and follows no redirect: a redirected request would take the gateway's own secret
 * elsewhere.
 */
export function boundedFetch(send: typeof fetch): (url: string, init: RequestInit) => Promise<Response> {
  return async (url, init) => {
    const response = await send(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(timeLimitMs) });
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      length += chunk.byteLength;
      if (length > answerLimitBytes) throw new RangeError('the answer is too large');
      chunks.push(chunk);
    }
    const { status, headers } = response;
    const body = status === 204 || status === 304 ? null : Buffer.concat(chunks);
    // What `fetch` gives for a redirect that is not followed has no body of its own.
    return new Response(body, { status: status === 0 ? 502 : status, headers });
  };
}

/** Asks a token service that speaks no OAuth. Throws `upstream-unavailable`. */
export async function askTokenService(
  send: typeof fetch,
  what: string,
  url: string,
  headers: Record<string, string>,
): Promise<TokenServiceAnswer> {
  try {
    const response = await boundedFetch(send)(url, { headers });
    const text = await response.text();
    return { status: response.status, body: objectOf(text) };
  } catch (error) {
    throw tokenServiceFault('upstream-unavailable', what, 'cannot be reached or does not answer properly', error);
  }
}

/** `reason` is ours, or an error code of the service: its other words, and errors that carry its answer, may repeat what was sent or hold a token. */
export function tokenServiceFault(
  code: 'upstream-unavailable' | 'upstream-refused',
  what: string,
  reason: string,
  cause?: unknown,
): GatewayFault {
  return new GatewayFault(code, {
    publicMessage: `the gateway has no credential for the target: ${what} ${reason}`,
    ...(cause === undefined ? {} : { detail: `${what} ${reason}: ${networkReason(cause)}` }),
    ...(code === 'upstream-refused' ? { hint: 'Ask the platform team: nothing about the request will change this.' } : {}),
  });
}

/** Of a status: what may pass by itself, and what will not. */
export function codeOfStatus(status: number): 'upstream-unavailable' | 'upstream-refused' {
  return status === 404 || status === 408 || status === 410 || status === 429 || status >= 500
    ? 'upstream-unavailable'
    : 'upstream-refused';
}

/** An error code as RFC 6749 section 5.2 has them, with Entra ID's own number where there is one; nothing else of an answer. */
export function errorCodeOf(body: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const { error, error_description: description } = body ?? {};
  if (typeof error !== 'string' || !/^[A-Za-z_]{1,64}$/.test(error)) return undefined;
  const number = typeof description === 'string' ? /^AADSTS[0-9]{1,10}/.exec(description)?.[0] : undefined;
  return number === undefined ? error : `${error}, ${number}`;
}

/** The codes of a network's failures say enough, and repeat nothing. */
function networkReason(error: unknown): string {
  for (let one = error, depth = 0; one instanceof Error && depth < 4; one = one.cause, depth += 1) {
    const { code } = one as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
    if (one.name === 'TimeoutError') return 'time limit';
  }
  return error instanceof Error ? error.name : 'unknown';
}

/** As it may stand in a field. */
export function isToken(text: unknown): text is string {
  return typeof text === 'string' && text.length <= maxTokenCharacters && /^[\x21-\x7e]+$/.test(text);
}

/** Undefined for what is no JSON object. */
export function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const timeLimitMs = 10_000;
const answerLimitBytes = 262_144;
const maxTokenCharacters = 16_384;

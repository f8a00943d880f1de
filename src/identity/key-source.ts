import type { ClockPort } from '../core/ports.ts';
import { DocumentFault, type FetchDocument, type FetchedDocument, type NetworkRules } from './https/fetch-document.ts';
import { parseJsonObject } from './json.ts';
import { readKeySet, type KeySet, type VerificationKey } from './keys.ts';
import { refusal, type RefusalContext } from './refusal.ts';

/** Where one issuer's keys come from. Two configurations with the same location share one source, also across a reload. */
export interface KeyLocation extends NetworkRules {
  readonly issuer: string;
  /** Undefined: the issuer's discovery document names it (OpenID Connect Discovery section 4). */
  readonly jwksUri: string | undefined;
}

/** One issuer's keys, fetched when they are needed and cached. */
export interface KeySource {
  /** The one key that fits. Throws `authentication-failed`: `keys-unavailable`, `key-unknown` or `key-ambiguous`. */
  find(kid: string | undefined, algorithm: string, context: RefusalContext): Promise<VerificationKey>;
  /** Fetches the keys now, cached ones or not. Resolves to why that failed, undefined when it did not. */
  probe(): Promise<DocumentFault | undefined>;
}

/**
 * - Keys are fresh for the answer's `max-age`, but 5 minutes at least and 24 hours at most; without one, 5 minutes.
 * - Stale keys are fetched again before they are used. While the issuer does not answer they are used for 36 hours after the fetch
 *   that brought them, then no token of the issuer is accepted.
 * - A key that is not in the set causes a fetch, at most one every 30 seconds, whatever tokens arrive. A new key that appears within
 *   that time of another fetch is therefore known up to 30 seconds late.
 * - Whoever needs keys while a fetch is under way waits for that one.
 */
export function createKeySource(location: KeyLocation, clock: ClockPort, fetch: FetchDocument): KeySource {
  let cached: { readonly keys: KeySet; readonly fetchedAtMs: number; readonly freshUntilMs: number } | undefined;
  let fetching: Promise<DocumentFault | undefined> | undefined;
  let attemptedAtMs = Number.NEGATIVE_INFINITY;
  let failure: DocumentFault | undefined;

  async function load(): Promise<DocumentFault | undefined> {
    attemptedAtMs = clock.monotonic();
    try {
      const { keys, maxAgeSeconds } = await fetchKeys(location, fetch);
      const fetchedAtMs = clock.monotonic();
      cached = { keys, fetchedAtMs, freshUntilMs: fetchedAtMs + freshMs(maxAgeSeconds) };
      failure = undefined;
    } catch (error) {
      failure = error instanceof DocumentFault ? error : new DocumentFault('network', location.issuer, error);
    }
    return failure;
  }

  function refresh(): Promise<DocumentFault | undefined> {
    fetching ??= load().finally(() => {
      fetching = undefined;
    });
    return fetching;
  }

  function mayRefresh(): boolean {
    return fetching !== undefined || clock.monotonic() - attemptedAtMs >= coolDownMs;
  }

  function usable(): KeySet | undefined {
    return cached !== undefined && clock.monotonic() - cached.fetchedAtMs < cachedKeysLimitMs ? cached.keys : undefined;
  }

  async function current(): Promise<KeySet | undefined> {
    if ((cached === undefined || clock.monotonic() >= cached.freshUntilMs) && mayRefresh()) {
      // An issuer that is known to be down delays nobody who can be served from the cache.
      const waits = failure === undefined || usable() === undefined;
      const refreshed = refresh();
      if (waits) await refreshed;
    }
    return usable();
  }

  return {
    async find(kid, algorithm, context) {
      let found = (await current())?.select(kid, algorithm) ?? [];
      if (found.length === 0 && mayRefresh()) {
        await refresh();
        found = usable()?.select(kid, algorithm) ?? [];
      }
      const [key, ...others] = found;
      if (usable() === undefined) throw refusal('keys-unavailable', context, failure?.reason, failure);
      if (key === undefined) throw refusal('key-unknown', context);
      if (others.length > 0) throw refusal('key-ambiguous', context);
      return key;
    },
    probe: refresh,
  };
}

async function fetchKeys(location: KeyLocation, fetch: FetchDocument): Promise<{ keys: KeySet; maxAgeSeconds: number | undefined }> {
  const url = location.jwksUri ?? (await discover(location, fetch));
  const document = await fetch(parseUrl(url), location);
  const keys = readKeySet(document.body);
  if (keys === undefined) throw new DocumentFault('no-usable-keys', url);
  return { keys, maxAgeSeconds: document.maxAgeSeconds };
}

/** `jwks_uri` of the discovery document, whose `issuer` must be the configured one exactly (OpenID Connect Discovery section 4.3). */
async function discover(location: KeyLocation, fetch: FetchDocument): Promise<string> {
  const base = location.issuer.endsWith('/') ? location.issuer.slice(0, -1) : location.issuer;
  const url = `${base}/.well-known/openid-configuration`;
  const document: FetchedDocument = await fetch(parseUrl(url), location);
  const members = parseJsonObject(document.body, { depth: 16, members: 2_000 });
  if (typeof members !== 'object') throw new DocumentFault('malformed', url);
  if (members.get('issuer') !== location.issuer) throw new DocumentFault('issuer-mismatch', url);
  const jwksUri = members.get('jwks_uri');
  if (typeof jwksUri !== 'string') throw new DocumentFault('malformed', url);
  return jwksUri;
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw new DocumentFault('url-refused', text);
  return url;
}

function freshMs(maxAgeSeconds: number | undefined): number {
  return Math.min(Math.max((maxAgeSeconds ?? 0) * 1000, minFreshMs), maxFreshMs);
}

const coolDownMs = 30_000;
const minFreshMs = 5 * 60_000;
const maxFreshMs = 24 * 3_600_000;
const cachedKeysLimitMs = 36 * 3_600_000;

import { GatewayFault } from '../core/fault.ts';
import type { ClockPort, IdentityPort } from '../core/ports.ts';
import type { Principal } from '../core/principal.ts';
import { answerExchange, type ExchangeAnswer, type ExchangeRequest, type FormParameters, type IssuedGatewayToken } from './exchange.ts';
import {
  findGatewayToken,
  gatewayTokenPrefix,
  mintGatewayToken,
  principalOfGatewayToken,
  type GatewayTokenStore,
  type StoredGatewayToken,
} from './gateway-token.ts';
import { createFetchDocument, type FetchDocument } from './https/fetch-document.ts';
import { checkIssuers, type Issuer } from './issuer.ts';
import { createKeySource, type KeySource } from './key-source.ts';
import { refusal } from './refusal.ts';
import type { IssuerConfig } from '../config/issuer.ts';
import { verifyToken } from './verify.ts';

export interface IdentityOptions {
  readonly issuers: readonly IssuerConfig[];
  readonly tokenStore: GatewayTokenStore;
  readonly clock: ClockPort;
  readonly gatewayTokens?: GatewayTokenLimits;
  /** Whether a target of this name exists: gateway tokens are issued for no other. */
  readonly isTarget: (name: string) => boolean;
  /** How documents of issuers are fetched. Default: https with the rules of `https/fetch-document.ts`. */
  readonly fetch?: FetchDocument;
}

export interface GatewayTokenLimits {
  /** Default 15 minutes. */
  readonly maxLifetimeMs?: number;
  /** Let a gateway token live on when the OIDC token that it was exchanged for expires. Default false. */
  readonly outliveOidcToken?: boolean;
}

export interface Identity extends IdentityPort {
  /** An OIDC token alone, never a gateway token: for people and for the exchange. Throws `authentication-failed`. */
  authenticateOidc(token: string): Promise<Principal>;
  /**
   * RFC 8693 token exchange. `record` makes `credential.issued` durable and is awaited before the token exists; where it rejects,
   * no token is issued. Never rejects.
   */
  exchange(form: FormParameters, record: (issued: StoredGatewayToken) => Promise<void>): Promise<ExchangeAnswer>;
  /** Revokes a gateway token by its public id. False where there is none, or it was revoked before. */
  revoke(tokenId: string, by: string, reason: string): Promise<boolean>;
  /**
   * Whether this principal could still be authenticated by what it was authenticated with: not expired, not revoked, its issuer's
   * rules still the ones that it was judged by (a tightened `require` or another group ends what came before it; claims are not kept
   * whole, so nothing can be judged again). Ask every few seconds for open sessions, with the very object that was returned. Rejects
   * when the store cannot be read: the session must end then, too.
   */
  stillValid(principal: Principal): Promise<boolean>;
  /** Newest first. */
  listGatewayTokens(limit: number): Promise<readonly StoredGatewayToken[]>;
  /** Housekeeping: forgets expired gateway tokens. */
  deleteExpiredGatewayTokens(): Promise<number>;
  /**
   * Replaces all issuers at once, or throws `IssuerConfigError` and changes nothing. Keys already fetched are kept where an issuer
   * stays at its place. A token that is being verified meanwhile is verified again under the new issuers.
   */
  reconfigure(issuers: readonly IssuerConfig[], gatewayTokens?: GatewayTokenLimits): void;
  /** Fetches every issuer's keys: for `sallyport check` and at start. */
  probeIssuers(): Promise<readonly { readonly issuer: string; readonly failure: string | undefined }[]>;
}

/** Throws `IssuerConfigError`. */
export function createIdentity(options: IdentityOptions): Identity {
  const { tokenStore, clock } = options;
  const fetch = options.fetch ?? createFetchDocument();
  let issuers = checkIssuers(options.issuers);
  let limits = options.gatewayTokens ?? {};
  let keySources = new Map<string, KeySource>();
  /** The rules that each principal was judged by. */
  const judgedBy = new WeakMap<Principal, string | undefined>();

  function keysOf(issuer: Issuer): KeySource {
    const place = JSON.stringify(issuer.location);
    const source = keySources.get(place) ?? createKeySource(issuer.location, clock, fetch);
    keySources.set(place, source);
    return source;
  }

  async function authenticateOidc(token: string): Promise<Principal> {
    for (;;) {
      const current = issuers;
      const principal = await verifyToken(token, current, keysOf, () => clock.now());
      if (current !== issuers) continue;
      judgedBy.set(principal, current.get(principal.issuerUrl)?.fingerprint);
      return principal;
    }
  }

  async function authenticateGatewayToken(credential: string, targetName: string): Promise<Principal> {
    const token = await findGatewayToken(credential, tokenStore, clock.now());
    if (token.target !== targetName) throw refusal('gateway-token-target', { id: token.id });
    if (!issuerUnchanged(token)) throw refusal('gateway-token-issuer-changed', { id: token.id });
    return principalOfGatewayToken(token);
  }

  function issuerUnchanged(token: StoredGatewayToken): boolean {
    return issuers.get(token.principal.issuerUrl)?.fingerprint === token.issuerFingerprint;
  }

  async function issue(request: ExchangeRequest, record: (issued: StoredGatewayToken) => Promise<void>): Promise<IssuedGatewayToken> {
    if (request.subjectToken.startsWith(gatewayTokenPrefix)) throw refusal('gateway-token-not-exchangeable');
    const principal = await authenticateOidc(request.subjectToken);
    const issuer = issuers.get(principal.issuerUrl);
    if (issuer === undefined) throw refusal('issuer-unknown', { iss: principal.issuerUrl });
    if (!options.isTarget(request.target)) throw new GatewayFault('target-unknown', { publicMessage: 'there is no such target' });
    const issuedAtMs = clock.now();
    const longestMs = Math.min(request.lifetimeMs ?? Number.POSITIVE_INFINITY, limits.maxLifetimeMs ?? defaultMaxLifetimeMs);
    const expiresAtMs = Math.min(
      issuedAtMs + longestMs,
      limits.outliveOidcToken === true ? Number.POSITIVE_INFINITY : principal.expiresAtMs,
    );
    const minted = mintGatewayToken({
      target: request.target,
      principal,
      issuerFingerprint: issuer.fingerprint,
      issuedAtMs,
      expiresAtMs,
    });
    await record(minted.stored);
    await tokenStore.put(minted.stored);
    return minted;
  }

  return {
    authenticateOidc,
    authenticate: (credential, targetName) =>
      credential.startsWith(gatewayTokenPrefix) ? authenticateGatewayToken(credential, targetName) : authenticateOidc(credential),
    exchange: (form, record) =>
      answerExchange(
        form,
        (request) => issue(request, record),
        () => clock.now(),
      ),
    revoke: (tokenId, by, reason) => tokenStore.revoke(tokenId, { atMs: clock.now(), by, reason }),
    async stillValid(principal) {
      if (principal.expiresAtMs <= clock.now()) return false;
      if (principal.authenticatedBy === 'oidc-token') {
        const issuer = issuers.get(principal.issuerUrl);
        return issuer !== undefined && issuer.fingerprint === judgedBy.get(principal);
      }
      const token = principal.tokenId === undefined ? undefined : await tokenStore.findById(principal.tokenId);
      return token !== undefined && token.revocation === undefined && token.expiresAtMs > clock.now() && issuerUnchanged(token);
    },
    listGatewayTokens: (limit) => tokenStore.list(limit),
    deleteExpiredGatewayTokens: () => tokenStore.deleteExpired(clock.now()),
    reconfigure(configs, gatewayTokens) {
      const next = checkIssuers(configs);
      const places = new Set([...next.values()].map((issuer) => JSON.stringify(issuer.location)));
      keySources = new Map([...keySources].filter(([place]) => places.has(place)));
      issuers = next;
      limits = gatewayTokens ?? limits;
    },
    probeIssuers: () =>
      Promise.all([...issuers.values()].map(async (issuer) => ({ issuer: issuer.name, failure: (await keysOf(issuer).probe())?.message }))),
  };
}

const defaultMaxLifetimeMs = 15 * 60_000;

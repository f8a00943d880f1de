import { GatewayFault } from '../core/fault.ts';
import type { ClockPort, IdentityPort, SshKeyPort } from '../core/ports.ts';
import type { Principal } from '../core/principal.ts';
import { answerExchange, type ExchangeAnswer, type ExchangeRequest, type FormParameters, type Issued } from './exchange.ts';
import {
  findGatewayToken,
  gatewayTokenPrefix,
  mintGatewayToken,
  principalOfGatewayToken,
  type GatewayTokenStore,
} from './gateway-token.ts';
import { createFetchDocument, type FetchDocument } from './https/fetch-document.ts';
import { checkIssuers, type Issuer } from './issuer.ts';
import { createKeySource, type KeySource } from './key-source.ts';
import type { IssuedCredential } from './issued.ts';
import { refusal } from './refusal.ts';
import { sshFingerprint } from './ssh-key-format.ts';
import { findSshKey, isSshKeyHandle, newStoredSshKey, principalOfSshKey, sshKeyById, SshKeyHandles, type SshKeyStore } from './ssh-key.ts';
import type { IssuerConfig } from '../config/issuer.ts';
import { verifyToken } from './verify.ts';

export interface IdentityOptions {
  readonly issuers: readonly IssuerConfig[];
  readonly tokenStore: GatewayTokenStore;
  readonly sshKeyStore: SshKeyStore;
  readonly clock: ClockPort;
  /** Of tokens and of keys for SSH. */
  readonly gatewayTokens?: GatewayTokenLimits;
  /** Whether a target of this name exists: nothing is issued for any other. */
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

export interface Identity extends IdentityPort, SshKeyPort {
  /** An OIDC token alone, never a gateway token: for people and for the exchange. Throws `authentication-failed`. */
  authenticateOidc(token: string): Promise<Principal>;
  /**
   * RFC 8693 token exchange. `record` makes `credential.issued` durable and is awaited before the token, or the binding of a key,
   * exists; where it rejects, nothing is issued. Never rejects.
   */
  exchange(form: FormParameters, record: (issued: IssuedCredential) => Promise<void>): Promise<ExchangeAnswer>;
  /** Revokes a gateway token or a key for SSH by its public id. False where there is none, or it was revoked before. */
  revoke(credentialId: string, by: string, reason: string): Promise<boolean>;
  /**
   * Whether this principal could still be authenticated by what it was authenticated with: not expired, not revoked, its issuer's
   * rules still the ones that it was judged by (a tightened `require` or another group ends what came before it; claims are not kept
   * whole, so nothing can be judged again). Ask every few seconds for open sessions, with the very object that was returned. Rejects
   * when the store cannot be read: the session must end then, too.
   */
  stillValid(principal: Principal): Promise<boolean>;
  /** Newest first. */
  listCredentials(limit: number): Promise<readonly IssuedCredential[]>;
  /** Housekeeping: forgets what expired. */
  deleteExpiredCredentials(): Promise<number>;
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
  const { tokenStore, sshKeyStore, clock } = options;
  const handles = new SshKeyHandles(clock);
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

  async function authenticateSshKey(handle: string, targetName: string): Promise<Principal> {
    const key = await sshKeyById(handles.use(handle, targetName), sshKeyStore, clock.now());
    if (!issuerUnchanged(key)) throw refusal('ssh-key-issuer-changed', { id: key.id });
    return principalOfSshKey(key);
  }

  async function acceptableSshKey(publicKeyBlob: Uint8Array, targetName: string) {
    const key = await findSshKey(publicKeyBlob, targetName, sshKeyStore, clock.now());
    return key !== undefined && issuerUnchanged(key) ? key : undefined;
  }

  function issuerUnchanged(issued: IssuedCredential): boolean {
    return issuers.get(issued.principal.issuerUrl)?.fingerprint === issued.issuerFingerprint;
  }

  async function issue(request: ExchangeRequest, record: (issued: IssuedCredential) => Promise<void>): Promise<Issued> {
    if (request.subjectToken.startsWith(gatewayTokenPrefix)) throw refusal('gateway-token-not-exchangeable');
    const principal = await authenticateOidc(request.subjectToken);
    const issuer = issuers.get(principal.issuerUrl);
    if (issuer === undefined) throw refusal('issuer-unknown', { iss: principal.issuerUrl });
    const { target, sshPublicKey } = request;
    if (!options.isTarget(target)) throw new GatewayFault('target-unknown', { publicMessage: 'there is no such target' });
    const issuedAtMs = clock.now();
    const longestMs = Math.min(request.lifetimeMs ?? Number.POSITIVE_INFINITY, limits.maxLifetimeMs ?? defaultMaxLifetimeMs);
    const expiresAtMs = Math.min(
      issuedAtMs + longestMs,
      limits.outliveOidcToken === true ? Number.POSITIVE_INFINITY : principal.expiresAtMs,
    );
    const content = { target, principal, issuerFingerprint: issuer.fingerprint, issuedAtMs, expiresAtMs };
    if (sshPublicKey !== undefined) return await bindSshKey({ ...content, fingerprint: sshFingerprint(sshPublicKey) }, record);
    const minted = mintGatewayToken(content);
    await record(minted.stored);
    await tokenStore.put(minted.stored);
    return minted;
  }

  /** A key is bound once: else someone could bind another's key to themselves, and what its owner does would stand under their name. */
  async function bindSshKey(
    content: Parameters<typeof newStoredSshKey>[0],
    record: (issued: IssuedCredential) => Promise<void>,
  ): Promise<Issued> {
    const { fingerprint } = content;
    if ((await sshKeyStore.findByFingerprint(fingerprint)) !== undefined) {
      throw new GatewayFault('protocol-violation', { publicMessage: 'this key was bound before: make a new one' });
    }
    const stored = newStoredSshKey(content);
    await record(stored);
    await sshKeyStore.put(stored);
    return { credential: fingerprint, stored };
  }

  return {
    authenticateOidc,
    async authenticate(credential, targetName) {
      if (isSshKeyHandle(credential)) return await authenticateSshKey(credential, targetName);
      if (credential.startsWith(gatewayTokenPrefix)) return await authenticateGatewayToken(credential, targetName);
      return await authenticateOidc(credential);
    },
    offered: async (publicKeyBlob, targetName) => (await acceptableSshKey(publicKeyBlob, targetName)) !== undefined,
    async credentialFor(publicKeyBlob, targetName) {
      const key = await acceptableSshKey(publicKeyBlob, targetName);
      return key === undefined ? undefined : handles.make(key);
    },
    exchange: (form, record) =>
      answerExchange(
        form,
        (request) => issue(request, record),
        () => clock.now(),
      ),
    async revoke(credentialId, by, reason) {
      const revocation = { atMs: clock.now(), by, reason };
      return (await tokenStore.revoke(credentialId, revocation)) || (await sshKeyStore.revoke(credentialId, revocation));
    },
    async stillValid(principal) {
      if (principal.expiresAtMs <= clock.now()) return false;
      if (principal.authenticatedBy === 'oidc-token') {
        const issuer = issuers.get(principal.issuerUrl);
        return issuer !== undefined && issuer.fingerprint === judgedBy.get(principal);
      }
      const store = principal.authenticatedBy === 'ssh-key' ? sshKeyStore : tokenStore;
      const issued = principal.tokenId === undefined ? undefined : await store.findById(principal.tokenId);
      return issued !== undefined && issued.revocation === undefined && issued.expiresAtMs > clock.now() && issuerUnchanged(issued);
    },
    async listCredentials(limit) {
      const issued: IssuedCredential[] = [...(await tokenStore.list(limit)), ...(await sshKeyStore.list(limit))];
      return issued.toSorted((one, other) => other.issuedAtMs - one.issuedAtMs).slice(0, limit);
    },
    async deleteExpiredCredentials() {
      const nowMs = clock.now();
      return (await tokenStore.deleteExpired(nowMs)) + (await sshKeyStore.deleteExpired(nowMs));
    },
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

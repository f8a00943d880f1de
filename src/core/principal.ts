/** A claim value that goes on record. Structured claims are left out; text longer than 1,024 characters is cut. */
export type ClaimValue = string | number | boolean;

export type PrincipalKind = 'agent' | 'user';

/** Who is asking: an issuer and its immutable subject, never a name that can be registered again. */
export interface Principal {
  /** The issuer's name in the configuration. */
  readonly issuer: string;
  /** The issuer's URL, exactly as in the token. */
  readonly issuerUrl: string;
  /** Immutable at the issuer (`sub`, or the claim that the configuration names). */
  readonly subject: string;
  readonly kind: PrincipalKind;
  readonly groups: readonly string[];
  /** False where the token says "too many groups": membership is unknown, which is not the same as none. */
  readonly groupsKnown: boolean;
  /** The claims that identify the job (repository, run, ref, actor …), for policy and the record. */
  readonly claims: Readonly<Record<string, ClaimValue>>;
  /** For people's eyes only; never compared. */
  readonly display: string;
  /** `jti`, `uti`, or the public id of a gateway token or a key for SSH. */
  readonly tokenId: string | undefined;
  /** Milliseconds since 1970. The session ends then. */
  readonly expiresAtMs: number;
  readonly authenticatedBy: 'oidc-token' | 'gateway-token' | 'ssh-key';
}

/** The key under which two credentials are the same principal. The separator cannot stand in an issuer's configured name. */
export function principalKey(principal: Pick<Principal, 'issuer' | 'subject'>): string {
  return `${principal.issuer}|${principal.subject}`;
}

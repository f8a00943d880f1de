import type { PrincipalKind } from '../core/principal.ts';

/**
 * One accepted OIDC issuer, named as in `sallyport.yaml` (`issuers:`). `identity/` refuses what cannot be served safely;
 * the types alone do not. Durations are seconds.
 */
export interface IssuerConfig {
  /** Unique; letters, digits, `.`, `_` and `-`. Stands in every principal and record. */
  readonly name: string;
  /** Compared with the token's `iss` code unit by code unit: a trailing slash or another case is another issuer. Unique. */
  readonly issuer: string;
  /** What the token's `aud` must contain, exactly. Of several, one is enough. */
  readonly audience: string | readonly string[];
  /**
   * `agent`: every principal is one. `user` or absent: a person, except where the token itself says that it was issued to an
   * application, which makes it an agent.
   */
  readonly kind?: PrincipalKind | undefined;
  /** Claims that must all be there with exactly these values. */
  readonly require?: ClaimConditions | undefined;
  /** Groups that follow from claims. */
  readonly groups?: readonly GroupRule[] | undefined;
  /** The claim that lists groups, as an array of strings. */
  readonly groups_claim?: string | undefined;
  /** Signature algorithms accepted; asymmetric only. Default RS256, ES256, ES384, PS256, EdDSA. */
  readonly algorithms?: readonly string[] | undefined;
  /** Longest accepted time from `iat` (without one: from now) to `exp`, seconds. Default 86,400. */
  readonly max_lifetime?: number | undefined;
  /** Where the issuer's keys are. Absent: the issuer's discovery document says. */
  readonly jwks_uri?: string | undefined;
  /** The immutable subject's claim, default `sub`. With `oid` (Entra ID) the token must carry `tid` and the subject is `<tid>/<oid>`. */
  readonly subject_claim?: string | undefined;
  /** The issuer's addresses may be private ones (RFC 1918, unique local, loopback). Link-local ones are refused all the same. */
  readonly private_network?: boolean | undefined;
  /** Keys may be fetched over plain http, from a loopback address only. */
  readonly unsafe_http?: boolean | undefined;
  /** Scalar claims that go on record beside the known ones of CI systems. */
  readonly record_claims?: readonly string[] | undefined;
  /**
   * Accepted `typ` headers, compared without case and without `application/` (RFC 7515 section 4.1.9); the empty text stands for
   * a token without `typ`. Default `JWT`, `at+jwt` and none.
   */
  readonly types?: readonly string[] | undefined;
  /**
   * Audiences that may stand beside the gateway's own. Any other one makes the token unacceptable, because whoever else it is meant
   * for could present it here (OpenID Connect Core section 3.1.3.7, step 3). Default none.
   */
  readonly other_audiences?: readonly string[] | undefined;
  /** People sign in here with `sallyport login`: a public client with a loopback redirect. */
  readonly sign_in?: { readonly client_id: string; readonly scopes: readonly string[]; readonly resource?: string | undefined } | undefined;
}

/** Claim name to exact value. A claim that is a number or a boolean is compared by its JSON text. */
export type ClaimConditions = Readonly<Record<string, string | number | boolean>>;

/** Whoever's claims fulfil every condition of `when` is in `group`. */
export interface GroupRule {
  readonly group: string;
  readonly when: ClaimConditions;
}

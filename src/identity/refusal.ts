import { GatewayFault } from '../core/fault.ts';

/** Stable names of the checks that a credential can fail: the first word of the fault's `detail`. */
export type Check =
  | 'token-too-large'
  | 'token-malformed'
  | 'token-encrypted'
  | 'header-malformed'
  | 'header-duplicate-member'
  | 'header-refused'
  | 'payload-malformed'
  | 'payload-duplicate-member'
  | 'issuer-missing'
  | 'issuer-unknown'
  | 'algorithm-refused'
  | 'type-refused'
  | 'keys-unavailable'
  | 'key-unknown'
  | 'key-ambiguous'
  | 'signature-invalid'
  | 'subject-missing'
  | 'subject-refused'
  | 'audience-missing'
  | 'audience-mismatch'
  | 'audience-foreign'
  | 'audience-extra'
  | 'expiry-missing'
  | 'claim-malformed'
  | 'expired'
  | 'not-yet-valid'
  | 'issued-in-future'
  | 'lifetime-invalid'
  | 'lifetime-too-long'
  | 'claim-required'
  | 'groups-malformed'
  | 'gateway-token-unknown'
  | 'gateway-token-expired'
  | 'gateway-token-revoked'
  | 'gateway-token-target'
  | 'gateway-token-issuer-changed'
  | 'gateway-token-not-exchangeable'
  | 'ssh-key-unproven'
  | 'ssh-key-unknown'
  | 'ssh-key-expired'
  | 'ssh-key-revoked'
  | 'ssh-key-target'
  | 'ssh-key-issuer-changed';

/**
 * What a refusal may say beside the check's name. `iss`, `kid` and `alg` are what the client claims; `sub` is given only once the
 * signature was verified. `note` is our own text (a claim's name, a member's name, why keys are missing), never a claim's value.
 */
export interface RefusalContext {
  readonly iss?: string | undefined;
  readonly kid?: string | undefined;
  readonly alg?: string | undefined;
  readonly sub?: string | undefined;
  /** Public id of a gateway token or key. */
  readonly id?: string | undefined;
}

/**
 * `authentication-failed`: one and the same text for the client whatever failed; the check for the log and the record, as
 * `audience-mismatch; iss="https://…" kid="k1" alg="RS256"`.
 */
export function refusal(check: Check, context: RefusalContext = {}, note?: string, cause?: unknown): GatewayFault {
  const facts = [
    ...(note === undefined ? [] : [`note=${quote(note)}`]),
    ...(['iss', 'kid', 'alg', 'sub', 'id'] as const).flatMap((name) => {
      const value = context[name];
      return value === undefined ? [] : [`${name}=${quote(value)}`];
    }),
  ];
  return new GatewayFault('authentication-failed', {
    publicMessage: 'authentication failed: the credential was not accepted',
    detail: facts.length === 0 ? check : `${check}; ${facts.join(' ')}`,
    hint: 'Present an unexpired token that was issued for this gateway; its operator sees in the log which check failed.',
    cause,
  });
}

/** Printable ASCII in double quotes, everything else escaped, cut: it came from a stranger and goes into a log. */
function quote(text: string): string {
  const cut = text.length > quotedLimit ? `${text.slice(0, quotedLimit)}…` : text;
  return JSON.stringify(cut).replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const quotedLimit = 200;

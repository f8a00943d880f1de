import type Protocol from 'ssh2/lib/protocol/Protocol.js';
import utils from 'ssh2/lib/protocol/utils.js';
import { certificateSuffix, dateOf, names, standing, type SshCertificate } from '../../config/index.ts';
import { GatewayFault } from '../../core/fault.ts';
import { sendCertificateRequest } from './payload.ts';

/** What is known before a target is asked. */
export interface CertificateUse {
  readonly certificate: SshCertificate;
  /** As whom the gateway is to sign on. */
  readonly user: string;
  /** The server goes by a list of its own: `upstream.maps_principals`. */
  readonly mapsPrincipals: boolean;
  /** Since 1970. */
  readonly nowMs: number;
}

/** Throws `upstream-refused` where no target would let the gateway in with it, so that none is asked. What the certificate's critical options say is for the server alone. */
export function checkCertificate({ certificate, user, mapsPrincipals, nowMs }: CertificateUse): void {
  const { validFromMs, validUntilMs } = certificate;
  const state = standing(certificate, nowMs);
  if (state === 'expired') throw unusable(certificate, user, `expired at ${dateOf(validUntilMs)}`);
  if (state === 'not-yet') throw unusable(certificate, user, `is not valid before ${dateOf(validFromMs)}`);
  if (!mapsPrincipals && !names(certificate, user)) {
    throw unusable(
      certificate,
      user,
      `is not for the user ${user}`,
      'Leave the remote user out, or ask the platform team for a certificate that names it.',
    );
  }
}

export interface CertificateSignOn {
  readonly user: string;
  readonly certificate: SshCertificate;
  /** Of the key's signature: its type, or `rsa-sha2-512`. */
  readonly algorithm: string;
  readonly sign: (data: Buffer) => Buffer;
}

/** Asks to be let in as this user. */
export function signOnWith(protocol: Protocol, { user, certificate, algorithm, sign }: CertificateSignOn): void {
  sendCertificateRequest(protocol, {
    user,
    algorithm: algorithm + certificateSuffix,
    certificate: certificate.blob,
    signedBy: algorithm,
    sign: (data) => signature(sign(data), algorithm),
  });
}

/** The target has said no. `detail`: how. */
export function certificateRefused(certificate: SshCertificate, user: string, detail: string): GatewayFault {
  return new GatewayFault('upstream-refused', {
    publicMessage: `the target does not let the gateway in as ${user} with its certificate`,
    detail: `${detail}; ${described(certificate)}`,
    hint: 'Tell the platform team: the target may not trust the authority that signed it, have revoked it, or not let its names in as this user.',
    nothingSent: true,
  });
}

function unusable(certificate: SshCertificate, user: string, what: string, hint?: string): GatewayFault {
  return new GatewayFault('upstream-refused', {
    publicMessage: `the gateway’s certificate for this target ${what}`,
    detail: `sign-on as ${user} was not tried: ${described(certificate)}`,
    hint: hint ?? 'Ask the platform team for a new certificate at this target.',
    nothingSent: true,
  });
}

/** For the log: no secret is in it. */
function described({ serial, keyId, principals, validFromMs, validUntilMs, authority }: SshCertificate): string {
  const from = Number.isFinite(validFromMs) ? ` from ${dateOf(validFromMs)}` : '';
  return `certificate ${JSON.stringify(keyId)}, serial ${serial}, for ${JSON.stringify(principals)},${from} until ${dateOf(validUntilMs)}, signed by ${authority}`;
}

function signature(made: Buffer, algorithm: string): Uint8Array {
  // ssh2 gives an error instead of a signature where the key cannot sign.
  const converted = Buffer.isBuffer(made) ? utils.convertSignature(made, algorithm) : undefined;
  if (converted !== undefined) return converted;
  throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'the gateway’s own key did not sign' });
}

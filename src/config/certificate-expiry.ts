import { X509Certificate } from 'node:crypto';
import type { Secret } from './secret.ts';
import { readCertificate, standing, type Validity } from './ssh-certificate.ts';
import type { TargetConfig } from './targets.ts';
import type { Config } from './types.ts';

/**
 * What operators should know of certificates, one line each: the gateway's own, those with which it signs on at targets, and those of the authorities that it believes of a target. That one has
 * ended, is not good yet, or ends soon, which is in two weeks or within the last quarter of its time, whichever is less. So one of hours that is renewed in time is never told of. `nowMs`: since
 * 1970.
 */
export function certificateWarnings({ gateway, targets }: Pick<Config, 'gateway' | 'targets'>, nowMs: number): readonly string[] {
  const own = chainOf(gateway.tls?.certificate).map((one) =>
    tell("the gateway's certificate", one, 'clients that verify it do not connect', nowMs),
  );
  return [...own, ...targets.flatMap((target) => ofTarget(target, nowMs))].filter((line) => line !== undefined);
}

function ofTarget(target: TargetConfig, nowMs: number): readonly (string | undefined)[] {
  const whose = `target ${target.name}: its`;
  if (target.protocol === 'ssh') {
    const certificate = target.upstream.certificate && readCertificate(target.upstream.certificate.text());
    return certificate === undefined ? [] : [tell(`${whose} certificate`, certificate, cannotSignOn, nowMs)];
  }
  const { ca, certificate } = target.upstream;
  return [
    ...chainOf(certificate).map((one) => tell(`${whose} client certificate`, one, cannotSignOn, nowMs)),
    // Bundles keep authorities whose time is over: as long as one is good, the target can be verified.
    ...chainOf(ca)
      .sort((one, other) => other.validUntilMs - one.validUntilMs)
      .slice(0, 1)
      .map((last) => tell(`${whose} ca`, last, 'the gateway cannot verify the target', nowMs)),
  ];
}

/** Of each certificate in a PEM text. None of what cannot be read: that is a problem of the file, and told as such. */
function chainOf(pem: Secret | undefined): Validity[] {
  return [...(pem?.text() ?? '').matchAll(pemBlocks)].flatMap(([block]) => {
    try {
      const { validFromDate, validToDate } = new X509Certificate(block);
      // Its last second is a part of it (RFC 5280 section 4.1.2.5).
      return [{ validFromMs: validFromDate.getTime(), validUntilMs: validToDate.getTime() + 1_000 }];
    } catch {
      return [];
    }
  });
}

function tell(what: string, validity: Validity, otherwise: string, nowMs: number): string | undefined {
  const { validFromMs, validUntilMs } = validity;
  switch (standing(validity, nowMs)) {
    case 'expired':
      return `${what} expired at ${dateOf(validUntilMs)}: ${otherwise}`;
    case 'not-yet':
      return `${what} is not valid before ${dateOf(validFromMs)}: ${otherwise}`;
    case 'good':
      return validUntilMs - nowMs < Math.min(soonMs, (validUntilMs - validFromMs) / 4)
        ? `${what} expires at ${dateOf(validUntilMs)}`
        : undefined;
  }
}

/** In UTC, to the second. */
export function dateOf(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString().replace('.000Z', 'Z') : 'never';
}

const cannotSignOn = 'the gateway cannot sign on there';
const pemBlocks = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const soonMs = 14 * 24 * 60 * 60 * 1000;

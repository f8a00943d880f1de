import { readCertificate, standing, type SshCertificate } from './ssh-certificate.ts';
import type { Config } from './types.ts';

/**
 * What operators should know of the certificates with which the gateway signs on at SSH targets, one line each: that one has ended, is not good yet, or ends soon, which is in two weeks or within
 * the last quarter of its time, whichever is less. So one of hours that is renewed in time is never told of. `nowMs`: since 1970.
 */
export function certificateWarnings({ targets }: Pick<Config, 'targets'>, nowMs: number): readonly string[] {
  return targets.flatMap((target) => {
    if (target.protocol !== 'ssh' || target.upstream.certificate === undefined) return [];
    const certificate = readCertificate(target.upstream.certificate.text());
    const told = certificate === undefined ? undefined : tell(certificate, nowMs);
    return told === undefined ? [] : [`target ${target.name}: its certificate ${told}`];
  });
}

function tell(certificate: SshCertificate, nowMs: number): string | undefined {
  const { validFromMs, validUntilMs } = certificate;
  switch (standing(certificate, nowMs)) {
    case 'expired':
      return `expired at ${dateOf(validUntilMs)}: the gateway cannot sign on there`;
    case 'not-yet':
      return `is not valid before ${dateOf(validFromMs)}: the gateway cannot sign on there`;
    case 'good':
      return validUntilMs - nowMs < Math.min(soonMs, (validUntilMs - validFromMs) / 4) ? `expires at ${dateOf(validUntilMs)}` : undefined;
  }
}

/** In UTC, to the second. */
export function dateOf(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString().replace('.000Z', 'Z') : 'never';
}

const soonMs = 14 * 24 * 60 * 60 * 1000;

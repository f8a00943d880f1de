import { z } from 'zod';
import { anyTarget, authorities, limitOf, secret, strict, text, upstreamTls } from './schema-parts.ts';
import type { Secret } from './secret.ts';
import type { AddProblem, CheckContext, ReadSecret, UpstreamTlsMode } from './target-kind.ts';
import {
  checkUpstreamCredential,
  readUpstreamCredential,
  upstreamCredential,
  type UpstreamCredentialConfig,
} from './upstream-credential.ts';
import { checkClientCertificate } from './upstream-key.ts';

/** What the targets of all request protocols have: the same upstream, credential and limits. A protocol of its own needs takes the parts that it can use. */
export const requestTarget = {
  upstream: strict({
    url: text.describe('Where the API is: https://crm.internal or https://crm.internal/v2, in front of every path.'),
    tls: upstreamTls,
    ca: authorities,
    certificate: secret.optional().describe('PEM client certificate, for targets that ask for one; a chain has the leaf first.'),
    key: secret.optional().describe('PEM private key of the client certificate.'),
    credential: upstreamCredential,
  }),
  ...anyTarget,
  limits: strict(limitOf)
    .optional()
    .describe('What a principal may take from this target, besides what policy permits. Absent: no limits.'),
};

type RawRequestUpstream = z.output<typeof requestTarget.upstream>;

export interface RequestUpstream {
  readonly host: string;
  readonly port: number;
  /** In front of every path: empty, or begins with a slash and ends with none. */
  readonly basePath: string;
  readonly tls: UpstreamTlsMode;
  /** PEM. Undefined: the authorities that Node brings. */
  readonly ca: Secret | undefined;
  /** PEM, for targets that ask for a client certificate. Both or neither. */
  readonly certificate: Secret | undefined;
  readonly key: Secret | undefined;
  readonly credential: UpstreamCredentialConfig | undefined;
}

export function checkRequestTarget(raw: { readonly upstream: RawRequestUpstream; readonly listen?: unknown }, context: CheckContext): void {
  if (!context.hasHttps && raw.listen === undefined) {
    context.add([], 'required: listeners.https, such as 8443, or listen: clients reach this target through one of them');
  }
  checkUrl(raw.upstream, context.add);
  checkCertificate(raw.upstream, context.add);
  if (raw.upstream.credential !== undefined) checkUpstreamCredential(raw.upstream.credential, context.add);
}

export async function readRequestUpstream(raw: RawRequestUpstream, secret: ReadSecret): Promise<RequestUpstream> {
  const { host, port, basePath } = readUrl(raw.url)!;
  const [ca, certificate, key, credential] = await Promise.all([
    secret(['upstream', 'ca'], raw.ca),
    secret(['upstream', 'certificate'], raw.certificate),
    secret(['upstream', 'key'], raw.key),
    readUpstreamCredential(raw.credential, secret),
  ]);
  checkClientCertificate(certificate, key, ['upstream'], secret.add);
  return { host, port, basePath, tls: raw.tls, ca, certificate, key, credential };
}

function checkCertificate({ certificate, key, tls }: RawRequestUpstream, add: AddProblem): void {
  const there = certificate === undefined ? 'key' : 'certificate';
  if ((certificate === undefined) !== (key === undefined)) add(['upstream', there], 'expected both certificate and key, or neither');
  else if (certificate !== undefined && tls === 'unsafe_disable') {
    add(['upstream', 'certificate'], 'expected no certificate: without TLS it would not be used');
  }
}

function checkUrl({ url, tls }: RawRequestUpstream, add: AddProblem): void {
  const scheme = tls === 'unsafe_disable' ? 'http:' : 'https:';
  if (readUrl(url)?.scheme === scheme) return;
  const why = scheme === 'http:' ? 'an http:// URL (tls is unsafe_disable)' : 'an https:// URL';
  add(['upstream', 'url'], `expected ${why} of plain segments, without query, fragment or password`);
}

/** A base URL taken apart; undefined where it is not one of plain segments. */
function readUrl(
  text: string,
): { readonly scheme: string; readonly host: string; readonly port: number; readonly basePath: string } | undefined {
  const match = /^(https?:)\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?((?:\/[A-Za-z0-9._~-]+)*)\/?$/.exec(text);
  if (match === null) return undefined;
  const [, scheme = '', host = '', digits, basePath = ''] = match;
  const port = digits === undefined ? (scheme === 'https:' ? 443 : 80) : Number(digits);
  if (port < 1 || port > 65_535 || basePath.split('/').some((segment) => segment === '.' || segment === '..')) return undefined;
  return { scheme, host: host.replaceAll(/[[\]]/g, ''), port, basePath };
}

import { z } from 'zod';
import { anyTarget, authorities, limitOf, secret, strict, text, upstreamTls } from './schema-parts.ts';
import type { Secret } from './secret.ts';
import type { AddProblem, CheckContext, ReadSecret, UpstreamTlsMode } from './target-kind.ts';

/** What the targets of all request protocols have: the same upstream, credential and limits. A protocol of its own needs takes the parts that it can use. */
export const requestTarget = {
  upstream: strict({
    url: text.describe('Where the API is: https://crm.internal or https://crm.internal/v2, in front of every path.'),
    tls: upstreamTls,
    ca: authorities,
    credential: z
      .union(
        [
          strict({ bearer: secret.describe('Sent as Authorization: Bearer.') }),
          strict({
            basic: strict({ user: text, password: secret }).describe('Sent as Authorization: Basic.'),
          }),
          strict({
            header: strict({
              name: z.string({ error: headerExpected() }).regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, { error: headerExpected() }),
              value: secret,
            }).describe('Sent as a header of this name, such as X-API-Key.'),
          }),
        ],
        { error: 'expected { bearer: … }, { basic: { user: …, password: … } } or { header: { name: …, value: … } }' },
      )
      .optional()
      .describe('The gateway’s own credential at the target. Absent: none is sent.'),
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
  readonly credential: RequestCredential | undefined;
}

/** The gateway's own credential at a target of a request protocol. */
export type RequestCredential =
  | { readonly kind: 'bearer'; readonly token: Secret }
  | { readonly kind: 'basic'; readonly user: string; readonly password: Secret }
  | { readonly kind: 'header'; readonly name: string; readonly value: Secret };

export function checkRequestTarget(raw: { readonly upstream: RawRequestUpstream; readonly listen?: unknown }, context: CheckContext): void {
  if (!context.hasHttps && raw.listen === undefined) {
    context.add([], 'required: listeners.https, such as 8443, or listen: clients reach this target through one of them');
  }
  checkUrl(raw.upstream, context.add);
  const { credential } = raw.upstream;
  const name = credential !== undefined && 'header' in credential ? credential.header.name.toLowerCase() : '';
  if (headersOfTheGateway.has(name)) {
    context.add(
      ['upstream', 'credential', 'header', 'name'],
      'expected a header that carries a credential: this one is the gateway’s own business',
    );
  }
}

export async function readRequestUpstream(raw: RawRequestUpstream, secret: ReadSecret): Promise<RequestUpstream> {
  const { host, port, basePath } = readUrl(raw.url)!;
  const [ca, credential] = await Promise.all([secret(['upstream', 'ca'], raw.ca), readCredential(raw.credential, secret)]);
  return { host, port, basePath, tls: raw.tls, ca, credential };
}

async function readCredential(raw: RawRequestUpstream['credential'], secret: ReadSecret): Promise<RequestCredential | undefined> {
  const at = ['upstream', 'credential'];
  if (raw === undefined) return undefined;
  if ('bearer' in raw) return { kind: 'bearer', token: await secret([...at, 'bearer'], raw.bearer) };
  if ('basic' in raw) {
    return { kind: 'basic', user: raw.basic.user, password: await secret([...at, 'basic', 'password'], raw.basic.password) };
  }
  return { kind: 'header', name: raw.header.name, value: await secret([...at, 'header', 'value'], raw.header.value) };
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

function headerExpected(): string {
  return 'expected a header name of letters, digits and "-"';
}

/** Headers that no configured credential may take the place of. */
const headersOfTheGateway: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'trailer',
  'te',
  'upgrade',
  'expect',
  'keep-alive',
  'content-type',
  'content-encoding',
]);

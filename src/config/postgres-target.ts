import { z } from 'zod';
import { authorities, anyTarget, choice, host, limit, limitOf, port, secret, strict, text, upstreamTls } from './schema-parts.ts';
import { Secret } from './secret.ts';
import type { AnyTargetConfig, TargetKind, UpstreamTlsMode } from './target-kind.ts';

const limits = strict({
  rows: limit('rows').describe('Rows of one operation’s answer.'),
  ...limitOf,
  rows_per_minute: limit('rows').describe('Rows shown to one principal, over all its sessions, in any minute.'),
});

export const postgresTarget = strict({
  protocol: z.literal('postgres'),
  upstream: strict({
    host,
    port: port.default(5432),
    database: text,
    user: text,
    password: secret.optional(),
    unsafe_password: text.optional().describe('The password itself, in this file. Not for production.'),
    tls: upstreamTls,
    ca: authorities,
    certificate: secret.optional().describe('PEM client certificate.'),
    key: secret.optional().describe('PEM private key of the client certificate.'),
  }),
  ...anyTarget,
  limits: limits.optional().describe('What a principal may take from this target, besides what policy permits. Absent: no limits.'),
  client_auth: choice(['password', 'oauthbearer'])
    .default('password')
    .describe('How clients present their token: as the password, or by OAUTHBEARER of PostgreSQL 18.'),
});

export type RawPostgresTarget = z.output<typeof postgresTarget>;

export interface PostgresTargetConfig extends AnyTargetConfig {
  readonly protocol: 'postgres';
  readonly upstream: PostgresUpstream;
  readonly clientAuth: 'password' | 'oauthbearer';
}

interface PostgresUpstream {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: Secret | undefined;
  readonly tls: UpstreamTlsMode;
  /** PEM. Undefined: the authorities that Node brings. */
  readonly ca: Secret | undefined;
  /** PEM, for targets that ask for a client certificate. Both or neither. */
  readonly certificate: Secret | undefined;
  readonly key: Secret | undefined;
}

export const postgresTargets: TargetKind<RawPostgresTarget, PostgresTargetConfig> = {
  check({ upstream }, { add }) {
    const { password, unsafe_password: unsafePassword, certificate, key } = upstream;
    if (password !== undefined && unsafePassword !== undefined) {
      add(['upstream', 'unsafe_password'], 'expected only one of password and unsafe_password');
    }
    if ((certificate === undefined) !== (key === undefined)) {
      add(['upstream', key === undefined ? 'certificate' : 'key'], 'expected both certificate and key, or neither');
    }
  },
  async read({ upstream, client_auth: clientAuth }, common, secret) {
    const [password, ca, certificate, key] = await Promise.all([
      secret(['upstream', 'password'], upstream.password),
      secret(['upstream', 'ca'], upstream.ca),
      secret(['upstream', 'certificate'], upstream.certificate),
      secret(['upstream', 'key'], upstream.key),
    ]);
    const literal = upstream.unsafe_password;
    const unsafePassword = literal === undefined ? undefined : new Secret(notShown, new TextEncoder().encode(literal));
    const { host, port, database, user, tls } = upstream;
    return {
      ...common,
      protocol: 'postgres',
      upstream: { host, port, database, user, password: password ?? unsafePassword, tls, ca, certificate, key },
      clientAuth,
    };
  },
  unsafe: ({ upstream }) => (upstream.unsafe_password === undefined ? [] : ['upstream.unsafe_password']),
  certificates: ({ upstream: { ca, certificate } }) => [ca, certificate],
};

/** Stands for a literal secret wherever the configuration is shown. */
export const notShown = '(in the file, not shown)';

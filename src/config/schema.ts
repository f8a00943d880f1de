import { z } from 'zod';
import { durationPattern } from './duration.ts';
import { secretReferencePattern } from './secrets/reference.ts';

/**
 * The shape of `sallyport.yaml`, and nothing else: no transformation, so that the same schema checks the file and is published for
 * editors. What one value means for another (a column's target, a port used twice) is checked in `resolve.ts`. `error` says what was
 * expected; it never repeats what was found, because that may be a secret in the wrong place.
 */

const text = z.string({ error: 'expected text (a number or true/false needs quotes)' }).min(1, { error: 'expected text, not nothing' });
const flag = z.boolean({ error: 'expected true or false' });
const duration = z
  .string({ error: durationExpected() })
  .regex(durationPattern, { error: durationExpected() })
  .describe('A whole number and a unit: s, m, h, d, w or y (366 days), such as 30s, 15m, 7y.');
const secret = z
  .string({ error: secretExpected() })
  .regex(secretReferencePattern, { error: secretExpected() })
  .describe(
    'Where the secret is: env:NAME, file:path (relative to this file), azure-keyvault:vault/name, vault:mount/path#field, aws-secretsmanager:name#field.',
  );
const portExpected = 'expected a port from 1 to 65535';
const port = z.int({ error: portExpected }).min(1, { error: portExpected }).max(65_535, { error: portExpected });
const address = z
  .union([port, z.string().regex(/^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$/, { error: addressExpected() })], {
    error: addressExpected(),
  })
  .describe('A port, which listens on every interface, or "host:port", such as "127.0.0.1:5432".');
const name = z.string({ error: nameExpected() }).regex(/^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/, { error: nameExpected() });
const host = z
  .string({ error: 'expected a host name or address' })
  .regex(/^[A-Za-z0-9_:](?:[A-Za-z0-9._:-]{0,252})$/, { error: 'expected a host name or address, without scheme or port' });
const claims = z.record(
  text,
  z.union([text, z.number(), z.boolean()], { error: 'expected one exact value: text, a number, true or false' }),
  {
    error: 'expected claims and their exact values, such as { ref: refs/heads/main }',
  },
);
const list = <T extends z.ZodType>(element: T, what: string) => z.array(element, { error: `expected a list of ${what}` });

const gateway = strict({
  name: name.describe('Names this gateway in records and in the audit log.'),
  host: host.describe('The host name under which clients reach the gateway.'),
  tls: strict({
    certificate: secret.describe('PEM, leaf first: usually file:tls/gw.crt.'),
    key: secret.describe('PEM private key of the certificate.'),
  })
    .optional()
    .describe('Required, unless unsafe_plaintext is true.'),
  data: text.describe('Folder of embedded state, audit log and recordings. Relative to this file.'),
  workers: z
    .int({ error: workersExpected() })
    .min(1, { error: workersExpected() })
    .max(64, { error: workersExpected() })
    .default(1)
    .describe('Processes that serve clients. 1: everything in one process. More: each has an audit log of its own.'),
  unsafe_plaintext: flag.default(false).describe('Accept clients that do not encrypt. Tokens then cross the network in the clear.'),
});

const listeners = strict({
  postgres: address.optional().describe('PostgreSQL, the target chosen by database name. Absent: off.'),
  https: address
    .optional()
    .describe('HTTP APIs, the target chosen by path (/http/<target>/…) or by host name (<target>.<gateway.host>). Absent: off.'),
  api: address.optional().describe('REST API, server-sent events, health and metrics. Absent: off.'),
});

const issuer = strict({
  name: z
    .string({ error: issuerNameExpected() })
    .regex(/^[A-Za-z0-9._-]{1,63}$/, { error: issuerNameExpected() })
    .describe('Names the issuer in policy, records and messages.'),
  issuer: text.describe('The issuer URL, exactly as in the tokens (iss).'),
  audience: z
    .union([text, z.array(text).min(1)], { error: 'expected the audience that tokens carry, or a list of them' })
    .describe('What the token’s aud must contain, exactly. Of several, one is enough.'),
  kind: choice(['agent', 'user'])
    .optional()
    .describe('agent: never approves. Absent or user: a person, unless the token says that it was issued to an application.'),
  require: claims.optional().describe('Claims that every token must carry, with these exact values.'),
  groups: list(
    strict({
      group: text.describe('The group that such a token is in.'),
      when: claims.describe('Claims with the exact values that must all hold.'),
    }),
    '{ group: …, when: { claim: value } }',
  )
    .optional()
    .describe('Groups given by claims.'),
  groups_claim: text.optional().describe('The claim that lists groups. Too many for the token: membership is unknown, never none.'),
  algorithms: list(
    choice(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']),
    'signature algorithms',
  )
    .min(1, { error: 'expected at least one signature algorithm' })
    .optional()
    .describe('Signature algorithms that are accepted; RS256, ES256, ES384, PS256 and EdDSA when absent.'),
  max_lifetime: duration.optional().describe('Tokens that live longer than this are refused; 24h when absent.'),
  jwks_uri: text.optional().describe('Where the keys are. Absent: found by OpenID Connect discovery at the issuer.'),
  subject_claim: text.optional().describe('The claim that names the principal for ever: sub when absent; oid for Entra ID.'),
  private_network: flag.optional().describe('The issuer is inside: its keys may be fetched from a private address.'),
  unsafe_http: flag.optional().describe('Keys may be fetched over plain http, from a loopback address only.'),
  record_claims: list(text, 'claims').optional().describe('Further claims that go on record and into policy.'),
  types: list(z.string({ error: 'expected text' }), 'token types')
    .optional()
    .describe('Accepted values of the header typ; JWT, at+jwt and none when absent.'),
  other_audiences: list(text, 'audiences').optional().describe('Audiences that may stand beside the gateway’s own; none when absent.'),
  sign_in: strict({
    client_id: text.describe('Public client (no secret) with a loopback redirect, registered for the command line.'),
    scopes: list(text, 'scopes').default(['openid', 'profile']).describe('Scopes to ask for.'),
    resource: text.optional().describe('RFC 8707 resource indicator to send; absent for issuers that refuse it (Entra ID).'),
  })
    .optional()
    .describe('People sign in here with sallyport login.'),
});

const limitOf = {
  bytes: limit('bytes').describe('Bytes of one operation’s answer, as they go to the client.'),
  statement_timeout: duration
    .optional()
    .describe('How long the target may work on one statement or request. Waiting for an approval does not count.'),
  operations_per_minute: limit('operations').describe('Operations of one principal, over all its sessions, in any minute.'),
  concurrent_sessions: limit('sessions').describe('Sessions that one principal may have open at a time.'),
};
const limits = strict({
  rows: limit('rows').describe('Rows of one operation’s answer.'),
  ...limitOf,
  rows_per_minute: limit('rows').describe('Rows shown to one principal, over all its sessions, in any minute.'),
});

const upstreamTls = choice(['verify-full', 'verify-ca', 'unsafe_require', 'unsafe_disable'])
  .default('verify-full')
  .describe(
    'verify-full: encrypt, verify certificate and host name. verify-ca: not the host name. unsafe_require: encrypt, verify nothing. unsafe_disable: do not encrypt.',
  );
const authorities = secret.optional().describe('PEM of the authorities that may sign the server certificate. Absent: the public ones.');

/** What every protocol's targets have. */
const anyTarget = {
  labels: z
    .record(z.string().regex(/^[A-Za-z0-9_.-]{1,63}$/, { error: 'expected a label of letters, digits, "_", "." and "-"' }), text, {
      error: 'expected labels, such as { env: production }',
    })
    .default({})
    .describe('For policy: resource in Label::"env=production".'),
  masking: choice(['taint', 'strict', 'unsafe_origin'])
    .default('taint')
    .describe(
      'taint: mask whatever a sensitive column can reach; of an HTTP answer, what the paths name and the detectors find. strict: refuse such statements; of HTTP answers, all that are not JSON. unsafe_origin: only columns that the server names; of an HTTP answer, only what the paths name.',
    ),
  hold: choice(['wait', 'refuse-and-retry'])
    .default('wait')
    .describe('What an operation that needs approval does: wait in the session, or be refused and retried once approved.'),
  require_reason: flag
    .default(false)
    .describe(
      'Operations must state why: a leading comment /* reason: … */, SET sallyport.reason, or application_name=reason: …; over HTTP, the header Sallyport-Reason.',
    ),
  read_only: flag
    .default(false)
    .describe('Nothing that writes is let through, whatever policy says, and sessions at the target are read-only.'),
};

const postgresTarget = strict({
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
  listen: address.optional().describe('A port of its own, so that a job changes nothing but host and port.'),
  ...anyTarget,
  limits: limits.optional().describe('What a principal may take from this target, besides what policy permits. Absent: no limits.'),
  client_auth: choice(['password', 'oauthbearer'])
    .default('password')
    .describe('How clients present their token: as the password, or by OAUTHBEARER of PostgreSQL 18.'),
});

const httpTarget = strict({
  protocol: z.literal('http'),
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
  cookies: flag.default(false).describe('Cookies pass both ways. Otherwise clients and target never see each other’s.'),
  unsafe_unmasked_media_types: list(
    z
      .string({ error: mediaTypeExpected() })
      .regex(/^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/, { error: mediaTypeExpected() }),
    'media types',
  )
    .default([])
    .describe('Media types that pass as they are although nobody can look for sensitive values in them, such as application/zip.'),
});

const target = z.discriminatedUnion('protocol', [postgresTarget, httpTarget], {
  error: (issue) =>
    issue.code === 'invalid_union'
      ? 'expected postgres or http (other protocols are not in this release)'
      : 'expected protocol, upstream, …',
});

const recogniser = choice(['card-number', 'us-ssn', 'aba-routing', 'iban', 'email', 'phone']);
const detector = z.union(
  [recogniser, strict({ pattern: text.describe('A pattern in RE2 syntax: linear time, no look-around, no back-references.') })],
  {
    error: 'expected card-number, us-ssn, aba-routing, iban, email, phone, or { pattern: … }',
  },
);
const dataClass = strict({
  columns: list(text, 'columns').default([]).describe('target/schema.relation.column, or target/database/schema.relation.column.'),
  paths: list(text, 'paths')
    .default([])
    .describe(
      'Places inside a document column, target/schema.relation.column#$.path, or inside JSON of an HTTP target, target/path/*#$.path',
    ),
  detect: z
    .union([detector, z.array(detector)], {
      error: 'expected card-number, us-ssn, aba-routing, iban, email, phone, { pattern: … }, or a list of these',
    })
    .default([])
    .describe('How its values look, wherever they turn up.'),
  mask: z
    .union([choice(['redact', 'partial-last4', 'hash', 'pseudonym', 'null']), z.null()], {
      error: 'expected redact, partial-last4, hash, pseudonym or null',
    })
    .describe('How a value is shown to those who may not see it.'),
  lookup: flag
    .default(false)
    .describe('Who sees pseudonyms of it may look up by them: they are turned back on the way to the target. Only with mask: pseudonym.'),
});

const groupNames = list(text, 'groups').default([]);

export const configSchema = strict({
  gateway,
  listeners,
  issuers: list(issuer, 'issuers').min(1, { error: 'expected at least one issuer: nobody could sign in' }),
  targets: z.record(name, target, { error: 'expected targets by name' }),
  data_classes: z.record(name, dataClass, { error: 'expected data classes by name' }).default({}),
  policies: text.default('policies/').describe('Folder of Cedar policies (*.cedar). Relative to this file.'),
  audit: strict({
    durability: choice(['disk', 'process'])
      .default('disk')
      .describe('disk: a record survives a crash of the machine. process: only a crash of the gateway.'),
    retain: duration.default('7y').describe('How long records are kept at least.'),
  }).prefault({}),
  roles: strict({
    admin: groupNames.describe('Groups that administer the gateway.'),
    reviewer: groupNames.describe('Groups that see and answer approvals. Who may answer which is the policy’s business.'),
    auditor: groupNames.describe('Groups that read the audit log and recordings.'),
    operator: groupNames.describe('Groups that see and end sessions.'),
  })
    .prefault({})
    .describe('Who may do what at the API and console, by group.'),
  session: strict({ max_lifetime: duration.default('8h').describe('A session ends after this, or when its token ends.') }).prefault({}),
  credentials: strict({
    max_lifetime: duration.default('15m').describe('Longest life of a gateway token.'),
    outlive_token: flag
      .default(false)
      .describe('A gateway token may live on when the OIDC token that it was exchanged for has expired (GitHub’s live five minutes).'),
  }).prefault({}),
});

export type RawConfig = z.output<typeof configSchema>;
export type RawTarget = z.output<typeof target>;
export type RawHttpTarget = z.output<typeof httpTarget>;
export type RawDataClass = z.output<typeof dataClass>;
export type RawIssuer = z.output<typeof issuer>;

/** Keys that exist in the design or suggest themselves, and what to do about them. `*` stands for any name or list position. */
export const refusedKeys: ReadonlyMap<string, string> = new Map([
  ['listeners.tds', notInThisRelease()],
  ['listeners.ssh', notInThisRelease()],
  ['targets.*.limits.rows', onlyForSql()],
  ['targets.*.limits.rows_per_minute', onlyForSql()],
  ['gateway.state', notInThisRelease()],
  ['audit.stores', notInThisRelease()],
  ['audit.sinks', notInThisRelease()],
  ['audit.witnesses', notInThisRelease()],
]);

/** The published JSON Schema, draft 2020-12: what `docs/reference/sallyport.schema.json` holds. */
export function publishedSchema(): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' });
  return { ...schema, title: 'sallyport.yaml', description: 'Configuration of the Sallyport gateway.' };
}

function limit(what: string) {
  const error = `expected a whole number of ${what}, at least 1`;
  return z.int({ error }).min(1, { error }).optional();
}

function strict<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'invalid_type' ? `expected ${Object.keys(shape).join(', ')}` : undefined),
  });
}

function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: `expected ${values.slice(0, -1).join(', ')} or ${values.at(-1)}` });
}

function addressExpected(): string {
  return 'expected a port from 1 to 65535, or "host:port" (an IPv6 address in brackets)';
}

function durationExpected(): string {
  return 'expected a duration such as 30s, 15m, 8h or 7y';
}

function secretExpected(): string {
  return 'expected where the secret is (env:NAME, file:path, azure-keyvault:…, vault:…, aws-secretsmanager:…), never the secret itself';
}

function nameExpected(): string {
  return 'expected a name of lower-case letters, digits, "-" and "_", at most 63';
}

function workersExpected(): string {
  return 'expected a whole number from 1 to 64';
}

function issuerNameExpected(): string {
  return 'expected a name of letters, digits, ".", "_" and "-", at most 63';
}

function headerExpected(): string {
  return 'expected a header name of letters, digits and "-"';
}

function mediaTypeExpected(): string {
  return 'expected a media type in lower case without parameters, such as application/zip';
}

function onlyForSql(): string {
  return 'answers of an HTTP target have no rows; expected bytes, statement_timeout, operations_per_minute, concurrent_sessions';
}

function notInThisRelease(): string {
  return 'not in this release';
}

import { z } from 'zod';
import { address, choice, claims, duration, flag, host, list, name, secret, strict, text } from './schema-parts.ts';
import { target } from './targets.ts';

/**
 * The shape of `sallyport.yaml`, and nothing else: no transformation, so that the same schema checks the file and is published for
 * editors. What one value means for another (a column's target, a port used twice) is checked in `resolve.ts`. `error` says what was
 * expected; it never repeats what was found, because that may be a secret in the wrong place.
 */

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
  ssh: address.optional().describe('SSH, the target chosen by user name (<target> or <remote-user>+<target>). Absent: off.'),
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
export type RawDataClass = z.output<typeof dataClass>;
export type RawIssuer = z.output<typeof issuer>;

/** Keys that exist in the design or suggest themselves, and what to do about them. `*` stands for any name or list position. */
export const refusedKeys: ReadonlyMap<string, string> = new Map([
  ['listeners.tds', notInThisRelease()],
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

function workersExpected(): string {
  return 'expected a whole number from 1 to 64';
}

function issuerNameExpected(): string {
  return 'expected a name of letters, digits, ".", "_" and "-", at most 63';
}

function onlyForSql(): string {
  return 'answers of an HTTP target have no rows; expected bytes, statement_timeout, operations_per_minute, concurrent_sessions';
}

function notInThisRelease(): string {
  return 'not in this release';
}

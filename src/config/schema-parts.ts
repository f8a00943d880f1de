import { z } from 'zod';
import { durationPattern } from './duration.ts';
import { secretReferencePattern } from './secrets/reference.ts';

/** What the shapes of `sallyport.yaml` are put together from. `error` says what was expected; it never repeats what was found, because that may be a secret. */

export const text = z
  .string({ error: 'expected text (a number or true/false needs quotes)' })
  .min(1, { error: 'expected text, not nothing' });
export const flag = z.boolean({ error: 'expected true or false' });
export const duration = z
  .string({ error: durationExpected() })
  .regex(durationPattern, { error: durationExpected() })
  .describe('A whole number and a unit: s, m, h, d, w or y (366 days), such as 30s, 15m, 7y.');
export const secret = z
  .string({ error: secretExpected() })
  .regex(secretReferencePattern, { error: secretExpected() })
  .describe(
    'Where the secret is: env:NAME, file:path (relative to this file), azure-keyvault:vault/name, vault:mount/path#field, aws-secretsmanager:name#field.',
  );
const portExpected = 'expected a port from 1 to 65535';
export const port = z.int({ error: portExpected }).min(1, { error: portExpected }).max(65_535, { error: portExpected });
export const address = z
  .union([port, z.string().regex(/^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$/, { error: addressExpected() })], {
    error: addressExpected(),
  })
  .describe('A port, which listens on every interface, or "host:port", such as "127.0.0.1:5432".');
export const name = z.string({ error: nameExpected() }).regex(/^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/, { error: nameExpected() });
export const host = z
  .string({ error: 'expected a host name or address' })
  .regex(/^[A-Za-z0-9_:](?:[A-Za-z0-9._:-]{0,252})$/, { error: 'expected a host name or address, without scheme or port' });
export const claims = z.record(
  text,
  z.union([text, z.number(), z.boolean()], { error: 'expected one exact value: text, a number, true or false' }),
  {
    error: 'expected claims and their exact values, such as { ref: refs/heads/main }',
  },
);
export const list = <T extends z.ZodType>(element: T, what: string) => z.array(element, { error: `expected a list of ${what}` });

export const limitOf = {
  bytes: limit('bytes').describe('Bytes of one operation’s answer, as they go to the client.'),
  statement_timeout: duration
    .optional()
    .describe('How long the target may work on one statement or request. Waiting for an approval does not count.'),
  operations_per_minute: limit('operations').describe('Operations of one principal, over all its sessions, in any minute.'),
  concurrent_sessions: limit('sessions').describe('Sessions that one principal may have open at a time.'),
};
export const upstreamTls = choice(['verify-full', 'verify-ca', 'unsafe_require', 'unsafe_disable'])
  .default('verify-full')
  .describe(
    'verify-full: encrypt, verify certificate and host name. verify-ca: not the host name. unsafe_require: encrypt, verify nothing. unsafe_disable: do not encrypt.',
  );
export const authorities = secret
  .optional()
  .describe('PEM of the authorities that may sign the server certificate. Absent: the public ones.');

/** What every protocol's targets have. */
export const anyTarget = {
  listen: address.optional().describe('A port of its own, so that a job changes nothing but host and port.'),
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

export function limit(what: string) {
  const error = `expected a whole number of ${what}, at least 1`;
  return z.int({ error }).min(1, { error }).optional();
}

export function strict<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'invalid_type' ? `expected ${Object.keys(shape).join(', ')}` : undefined),
  });
}

export function choice<const T extends readonly [string, ...string[]]>(values: T) {
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

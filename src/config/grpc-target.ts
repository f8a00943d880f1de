import { z } from 'zod';
import { checkRequestTarget, readRequestUpstream, requestTarget, type RequestUpstream } from './request-target.ts';
import { durationMs } from './duration.ts';
import { choice, duration, flag, limit, limitOf, list, name, strict } from './schema-parts.ts';
import type { Secret } from './secret.ts';
import type { AnyTargetConfig, ReadBytes, TargetKind } from './target-kind.ts';

const descriptorFile = z
  .string({ error: 'expected a file: file:ledger.binpb' })
  .regex(/^file:.+$/, { error: 'expected a file: file:ledger.binpb' });

const webOrigin = z
  .string({ error: 'expected an origin: https://app.bank.example' })
  .regex(/^https:\/\/[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[1-9][0-9]{0,4})?$/, { error: 'expected an origin: https://app.bank.example' });

export const grpcTarget = strict({
  protocol: z.literal('grpc'),
  ...requestTarget,
  limits: strict({
    rows: limit('messages').describe('Messages of one call’s answer.'),
    ...limitOf,
    rows_per_minute: limit('messages').describe('Messages shown to one principal, over all its sessions, in any minute.'),
  })
    .optional()
    .describe('What a principal may take from this target, besides what policy permits. Absent: no limits.'),
  reflection: flag
    .default(false)
    .describe('Clients may ask the target for its schema (grpc.reflection), where policy permits grpc:reflect.'),
  unsafe_admin: flag
    .default(false)
    .describe('Clients may reach services about the server itself: channelz, the admin services of gRPC and Envoy, xDS.'),
  max_message_bytes: z
    .int({ error: 'expected a whole number of bytes, from 1 to 67108864' })
    .min(1, { error: 'expected a whole number of bytes, from 1 to 67108864' })
    .max(64 * 1024 * 1024, { error: 'expected a whole number of bytes, from 1 to 67108864' })
    .default(4 * 1024 * 1024)
    .describe('Of one message, either way, also when it is decompressed.'),
  web_origins: list(webOrigin, 'origins')
    .default([])
    .describe('Origins whose pages may call by gRPC-Web from browsers (CORS): https://app.bank.example. Absent: none.'),
  schema: strict({
    descriptor_sets: list(descriptorFile, 'descriptor sets')
      .min(1, { error: 'expected at least one descriptor set' })
      .optional()
      .describe('Files that protoc --include_imports --descriptor_set_out (or buf build) wrote: file:ledger.binpb.'),
    reflection: duration.optional().describe('Ask the target itself (grpc.reflection), and again when the answer is older than this: 10m.'),
    field_option: z
      .string({ error: optionExpected() })
      .regex(/^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/, { error: optionExpected() })
      .optional()
      .describe('An extension of google.protobuf.FieldOptions whose value is the data class of the field: bank.options.data_class.'),
    debug_redact: name.optional().describe('The data class of fields with debug_redact = true.'),
    unknown_fields: choice(['drop', 'refuse'])
      .default('drop')
      .describe(
        'Fields that the schema does not know, in messages in which anything can be hidden: left out, or the message is not shown.',
      ),
  })
    .optional()
    .describe('What the methods of the target take and answer. Absent: nobody knows, and where anything is hidden no call is let through.'),
});

type RawGrpcTarget = z.output<typeof grpcTarget>;

export interface GrpcTargetConfig extends AnyTargetConfig {
  readonly protocol: 'grpc';
  readonly upstream: RequestUpstream;
  /** Clients may ask for the target's schema. */
  readonly reflection: boolean;
  readonly unsafeAdmin: boolean;
  readonly maxMessageBytes: number;
  /** Of pages that may call from browsers. */
  readonly webOrigins: readonly string[];
  readonly schema: GrpcSchemaConfig | undefined;
}

export interface GrpcSchemaConfig {
  /** Serialized FileDescriptorSets. Undefined: the target is asked. */
  readonly descriptorSets: readonly Secret[] | undefined;
  /** How old the target's own description may be, milliseconds. */
  readonly reflectionMs: number | undefined;
  readonly fieldOption: string | undefined;
  readonly redactClass: string | undefined;
  readonly unknownFields: 'drop' | 'refuse';
}

export const grpcTargets: TargetKind<RawGrpcTarget, GrpcTargetConfig> = {
  check(raw, context) {
    checkRequestTarget(raw, context);
    if (/^https?:\/\/[^/]*\/./.test(raw.upstream.url)) {
      context.add(['upstream', 'url'], 'expected no path: the path of a call is its method');
    }
    const { schema } = raw;
    if (schema !== undefined && (schema.descriptor_sets === undefined) === (schema.reflection === undefined)) {
      context.add(['schema'], 'expected descriptor_sets or reflection, one of them');
    }
  },
  async read(
    { upstream, reflection, unsafe_admin: unsafeAdmin, max_message_bytes: maxMessageBytes, web_origins: webOrigins, schema },
    common,
    secret,
    bytes,
  ) {
    return {
      ...common,
      protocol: 'grpc',
      upstream: await readRequestUpstream(upstream, secret),
      reflection,
      unsafeAdmin,
      maxMessageBytes,
      webOrigins,
      schema: schema === undefined ? undefined : await readSchema(schema, bytes),
    };
  },
  unsafe: ({ unsafe_admin: unsafeAdmin }) => (unsafeAdmin ? ['unsafe_admin'] : []),
  certificates: ({ upstream, schema }) => [upstream.ca, upstream.certificate, ...(schema?.descriptorSets ?? [])],
};

async function readSchema(raw: NonNullable<RawGrpcTarget['schema']>, bytes: ReadBytes): Promise<GrpcSchemaConfig> {
  const { descriptor_sets: sets, reflection } = raw;
  return {
    descriptorSets: sets && (await Promise.all(sets.map((set, index) => bytes(['schema', 'descriptor_sets', index], set)))),
    reflectionMs: reflection === undefined ? undefined : durationMs(reflection),
    fieldOption: raw.field_option,
    redactClass: raw.debug_redact,
    unknownFields: raw.unknown_fields,
  };
}

function optionExpected(): string {
  return 'expected the full name of a field option, such as bank.options.data_class';
}

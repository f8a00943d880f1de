import { z } from 'zod';
import { checkRequestTarget, readRequestUpstream, requestTarget, type RequestUpstream } from './request-target.ts';
import { flag, limit, limitOf, strict } from './schema-parts.ts';
import type { AnyTargetConfig, TargetKind } from './target-kind.ts';

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
});

type RawGrpcTarget = z.output<typeof grpcTarget>;

export interface GrpcTargetConfig extends AnyTargetConfig {
  readonly protocol: 'grpc';
  readonly upstream: RequestUpstream;
  /** Clients may ask for the target's schema. */
  readonly reflection: boolean;
  readonly unsafeAdmin: boolean;
  readonly maxMessageBytes: number;
}

export const grpcTargets: TargetKind<RawGrpcTarget, GrpcTargetConfig> = {
  check(raw, context) {
    checkRequestTarget(raw, context);
    if (/^https?:\/\/[^/]*\/./.test(raw.upstream.url)) {
      context.add(['upstream', 'url'], 'expected no path: the path of a call is its method');
    }
  },
  async read({ upstream, reflection, unsafe_admin: unsafeAdmin, max_message_bytes: maxMessageBytes }, common, secret) {
    return { ...common, protocol: 'grpc', upstream: await readRequestUpstream(upstream, secret), reflection, unsafeAdmin, maxMessageBytes };
  },
  unsafe: ({ unsafe_admin: unsafeAdmin }) => (unsafeAdmin ? ['unsafe_admin'] : []),
  certificates: ({ upstream }) => [upstream.ca, upstream.certificate],
};

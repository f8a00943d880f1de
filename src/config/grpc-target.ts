import { z } from 'zod';
import { checkRequestTarget, readRequestUpstream, requestTarget, type RequestUpstream } from './request-target.ts';
import { strict } from './schema-parts.ts';
import type { AnyTargetConfig, TargetKind } from './target-kind.ts';

export const grpcTarget = strict({
  protocol: z.literal('grpc'),
  ...requestTarget,
});

type RawGrpcTarget = z.output<typeof grpcTarget>;

export interface GrpcTargetConfig extends AnyTargetConfig {
  readonly protocol: 'grpc';
  readonly upstream: RequestUpstream;
}

export const grpcTargets: TargetKind<RawGrpcTarget, GrpcTargetConfig> = {
  check: checkRequestTarget,
  async read({ upstream }, common, secret) {
    return { ...common, protocol: 'grpc', upstream: await readRequestUpstream(upstream, secret) };
  },
  unsafe: () => [],
  certificates: ({ upstream }) => [upstream.ca],
};

import { z } from 'zod';
import { checkRequestTarget, readRequestUpstream, requestTarget, type RequestUpstream } from './request-target.ts';
import { strict } from './schema-parts.ts';
import type { AnyTargetConfig, TargetKind } from './target-kind.ts';

export const cosmosTarget = strict({
  protocol: z.literal('cosmos'),
  ...requestTarget,
});

type RawCosmosTarget = z.output<typeof cosmosTarget>;

export interface CosmosTargetConfig extends AnyTargetConfig {
  readonly protocol: 'cosmos';
  readonly upstream: RequestUpstream;
}

export const cosmosTargets: TargetKind<RawCosmosTarget, CosmosTargetConfig> = {
  check: checkRequestTarget,
  async read({ upstream }, common, secret) {
    return { ...common, protocol: 'cosmos', upstream: await readRequestUpstream(upstream, secret) };
  },
  unsafe: () => [],
  certificates: ({ upstream }) => [upstream.ca, upstream.certificate],
};

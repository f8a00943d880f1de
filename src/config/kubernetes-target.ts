import { z } from 'zod';
import { checkRequestTarget, readRequestUpstream, requestTarget, type RequestUpstream } from './request-target.ts';
import { strict } from './schema-parts.ts';
import type { AnyTargetConfig, TargetKind } from './target-kind.ts';

export const kubernetesTarget = strict({
  protocol: z.literal('kubernetes'),
  ...requestTarget,
});

type RawKubernetesTarget = z.output<typeof kubernetesTarget>;

export interface KubernetesTargetConfig extends AnyTargetConfig {
  readonly protocol: 'kubernetes';
  readonly upstream: RequestUpstream;
}

export const kubernetesTargets: TargetKind<RawKubernetesTarget, KubernetesTargetConfig> = {
  check: checkRequestTarget,
  async read({ upstream }, common, secret) {
    return { ...common, protocol: 'kubernetes', upstream: await readRequestUpstream(upstream, secret) };
  },
  unsafe: () => [],
  certificates: ({ upstream }) => [upstream.ca],
};

import { z } from 'zod';
import { checkRequestTarget, readRequestUpstream, requestTarget, type RequestUpstream } from './request-target.ts';
import { list, strict, text } from './schema-parts.ts';
import type { AnyTargetConfig, TargetKind } from './target-kind.ts';

const principal = z.literal('principal', { error: 'expected principal, or names' });

export const kubernetesTarget = strict({
  protocol: z.literal('kubernetes'),
  ...requestTarget,
  impersonate: strict({
    user: z
      .union([principal, text])
      .describe('The user: principal for issuer:subject, or a name with {issuer} and {subject} in it, such as "sallyport:{subject}".'),
    groups: z
      .union([principal, list(text, 'groups')])
      .default([])
      .describe('Its groups: principal for those of the token, or names, with {group} in it one for each of them.'),
  })
    .optional()
    .describe('As whom the cluster takes requests (Impersonate-User, Impersonate-Group). Absent: as the gateway’s own credential.'),
});

type RawKubernetesTarget = z.output<typeof kubernetesTarget>;

export interface KubernetesTargetConfig extends AnyTargetConfig {
  readonly protocol: 'kubernetes';
  readonly upstream: RequestUpstream;
  /** Templates: `{issuer}`, `{subject}` in `user`, `{group}` in `groups`. */
  readonly impersonate: { readonly user: string; readonly groups: readonly string[] } | undefined;
}

export const kubernetesTargets: TargetKind<RawKubernetesTarget, KubernetesTargetConfig> = {
  check: checkRequestTarget,
  async read({ upstream, impersonate }, common, secret) {
    return {
      ...common,
      protocol: 'kubernetes',
      upstream: await readRequestUpstream(upstream, secret),
      impersonate:
        impersonate === undefined
          ? undefined
          : {
              user: impersonate.user === 'principal' ? '{issuer}:{subject}' : impersonate.user,
              groups: impersonate.groups === 'principal' ? ['{group}'] : impersonate.groups,
            },
    };
  },
  unsafe: () => [],
  certificates: ({ upstream }) => [upstream.ca, upstream.certificate],
};

import { z } from 'zod';
import { checkRequestTarget, readRequestUpstream, requestTarget, type RequestUpstream } from './request-target.ts';
import { list, name, port, strict, text } from './schema-parts.ts';
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
  forwards: list(
    strict({
      port: port.describe('As the client names it.'),
      target: name.describe('A PostgreSQL or an HTTP target of this gateway.'),
    }),
    'ports and targets',
  )
    .default([])
    .describe('Forwarded connections to these ports go to a session of another target, not to the pod. Any other port is opaque.'),
});

type RawKubernetesTarget = z.output<typeof kubernetesTarget>;

export interface KubernetesTargetConfig extends AnyTargetConfig {
  readonly protocol: 'kubernetes';
  readonly upstream: RequestUpstream;
  /** Templates: `{issuer}`, `{subject}` in `user`, `{group}` in `groups`. */
  readonly impersonate: { readonly user: string; readonly groups: readonly string[] } | undefined;
  readonly forwards: readonly { readonly port: number; readonly target: string }[];
}

export const kubernetesTargets: TargetKind<RawKubernetesTarget, KubernetesTargetConfig> = {
  check(raw, context) {
    checkRequestTarget(raw, context);
    for (const [index, { port: number, target }] of raw.forwards.entries()) {
      const protocol = context.protocolOf(target);
      if (protocol !== 'postgres' && protocol !== 'http')
        context.add(['forwards', index, 'target'], 'expected the name of a PostgreSQL or an HTTP target');
      if (raw.forwards.findIndex((other) => other.port === number) < index)
        context.add(['forwards', index, 'port'], 'this port is given twice');
    }
  },
  async read({ upstream, impersonate, forwards }, common, secret) {
    return {
      ...common,
      protocol: 'kubernetes',
      upstream: await readRequestUpstream(upstream, secret),
      forwards,
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

import { z } from 'zod';
import { checkRequestTarget, readRequestUpstream, requestTarget, type RequestUpstream } from './request-target.ts';
import { limit, limitOf, secret, strict, text } from './schema-parts.ts';
import type { Secret } from './secret.ts';
import type { AnyTargetConfig, TargetKind } from './target-kind.ts';

export const cosmosTarget = strict({
  protocol: z.literal('cosmos'),
  ...requestTarget,
  upstream: requestTarget.upstream.extend({
    account_key: secret
      .optional()
      .describe(
        'A key of the account, in base64: requests are signed with it. Or credential: azure, for the gateway’s own identity in Entra ID.',
      ),
  }),
  limits: strict({
    rows: limit('rows').describe('Items of one operation’s answer.'),
    ...limitOf,
    rows_per_minute: limit('rows').describe('Items shown to one principal, over all its sessions, in any minute.'),
  })
    .optional()
    .describe('What a principal may take from this target, besides what policy permits. Absent: no limits.'),
  database: text.optional().describe('The only database that is served. Absent: every one that policy allows.'),
});

type RawCosmosTarget = z.output<typeof cosmosTarget>;

export interface CosmosTargetConfig extends AnyTargetConfig {
  readonly protocol: 'cosmos';
  readonly upstream: RequestUpstream & { readonly accountKey: Secret | undefined };
  /** The only database that is served. */
  readonly database: string | undefined;
}

export const cosmosTargets: TargetKind<RawCosmosTarget, CosmosTargetConfig> = {
  check(raw, context) {
    checkRequestTarget(raw, context);
    const { account_key: key, credential } = raw.upstream;
    if ((key === undefined) === (credential === undefined)) {
      context.add(['upstream'], 'expected account_key or credential, and not both: the account takes nothing without one');
    }
    if (credential !== undefined && !('azure' in credential) && !('bearer' in credential)) {
      context.add(['upstream', 'credential'], 'expected azure or bearer: the account takes tokens of Entra ID');
    }
  },
  async read({ upstream, database }, common, secret) {
    const [read, accountKey] = await Promise.all([
      readRequestUpstream(upstream, secret),
      secret(['upstream', 'account_key'], upstream.account_key),
    ]);
    return { ...common, protocol: 'cosmos', upstream: { ...read, accountKey }, database };
  },
  unsafe: () => [],
  certificates: ({ upstream }) => [upstream.ca, upstream.certificate],
};

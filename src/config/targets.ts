import { z } from 'zod';
import type { Protocol } from '../core/target.ts';
import { cosmosTarget, cosmosTargets, type CosmosTargetConfig } from './cosmos-target.ts';
import { grpcTarget, grpcTargets, type GrpcTargetConfig } from './grpc-target.ts';
import { httpTarget, httpTargets, type HttpTargetConfig } from './http-target.ts';
import { kubernetesTarget, kubernetesTargets, type KubernetesTargetConfig } from './kubernetes-target.ts';
import { postgresTarget, postgresTargets, type PostgresTargetConfig } from './postgres-target.ts';
import { sshTarget, sshTargets, type SshTargetConfig } from './ssh-target.ts';
import type { TargetKind } from './target-kind.ts';

/** A target of any protocol, as the file says it. One line each; each has a file of its own. */
export const target = z.discriminatedUnion(
  'protocol',
  [postgresTarget, sshTarget, httpTarget, grpcTarget, kubernetesTarget, cosmosTarget],
  {
    error: (issue) => (issue.code === 'invalid_union' ? protocolExpected() : 'expected protocol, upstream, …'),
  },
);

export type RawTarget = z.output<typeof target>;

/** A target is also what policy and pipeline call `Target` (`core/target.ts`). */
export type TargetConfig = PostgresTargetConfig | SshTargetConfig | RequestTargetConfig;

/** A target of a request protocol. */
export type RequestTargetConfig = HttpTargetConfig | GrpcTargetConfig | KubernetesTargetConfig | CosmosTargetConfig;

/** Protocols that this release serves. A target of another one is refused when the configuration is loaded. */
export const served: ReadonlySet<Protocol> = new Set<Protocol>(['postgres', 'ssh', 'http', 'grpc', 'kubernetes', 'cosmos']);

export function protocolExpected(): string {
  const names = [...served];
  return `expected ${names.slice(0, -1).join(', ')} or ${names.at(-1)} (other protocols are not in this release)`;
}

export function kindOf({ protocol }: Pick<RawTarget, 'protocol'>): TargetKind<RawTarget, TargetConfig> {
  return kinds[protocol];
}

const kinds = {
  postgres: postgresTargets,
  ssh: sshTargets,
  http: httpTargets,
  grpc: grpcTargets,
  kubernetes: kubernetesTargets,
  cosmos: cosmosTargets,
};

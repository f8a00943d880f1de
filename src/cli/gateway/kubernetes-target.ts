import type { KubernetesTargetConfig } from '../../config/index.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import type { RequestTarget } from '../../net/http-target.ts';
import { nodeInflate } from '../../net/inflate.ts';
import type { KubernetesEnvironment, KubernetesTarget } from '../../protocols/kubernetes/index.ts';
import { requestProtocols } from '../../protocols/registry.ts';
import type { InForce } from './in-force.ts';
import type { WayToTarget } from './request-targets.ts';

/** A Kubernetes cluster, and what requests to its API server need to know. */
export function kubernetesTarget(config: KubernetesTargetConfig, inForce: InForce, { upstream, credential }: WayToTarget): RequestTarget {
  const target = kubernetesSettings(config, credential?.fieldNames);
  const forwards = new Map(config.forwards.map((forward) => [forward.port, forward.target]));
  const environment = (session: PipelineSession): KubernetesEnvironment => {
    const { principal, target: asked } = session;
    const { classes } = inForce.targets;
    const streams = { session, inflate: nodeInflate, maskKey: () => nodeCrypto.randomBytes(4), forwards };
    return { target, classes, revealed: inForce.policy.reveals(principal, asked, classes.names), principal, streams };
  };
  return {
    dialect: requestProtocols.kubernetes,
    upstream,
    reads: (request, session) => requestProtocols.kubernetes.reads(request, environment(session)),
    ask: (request, session, read) => requestProtocols.kubernetes.ask(request, environment(session), read),
  };
}

export function kubernetesSettings(config: KubernetesTargetConfig, credentialNames: readonly string[] = []): KubernetesTarget {
  const { name, masking, readOnly, impersonate, upstream } = config;
  return { name, masking, readOnly, basePath: upstream.basePath, credentialNames, impersonate };
}

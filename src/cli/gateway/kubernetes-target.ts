import type { KubernetesTargetConfig } from '../../config/index.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import type { RequestTarget } from '../../net/http-target.ts';
import type { KubernetesEnvironment, KubernetesTarget } from '../../protocols/kubernetes/index.ts';
import { requestProtocols } from '../../protocols/registry.ts';
import type { InForce } from './in-force.ts';
import type { WayToTarget } from './request-targets.ts';

/** A Kubernetes cluster, and what requests to its API server need to know. */
export function kubernetesTarget(config: KubernetesTargetConfig, inForce: InForce, { upstream, credential }: WayToTarget): RequestTarget {
  const { name, masking, readOnly, impersonate } = config;
  const { basePath } = config.upstream;
  const target: KubernetesTarget = { name, masking, readOnly, basePath, credentialNames: credential?.fieldNames ?? [], impersonate };
  const environment = ({ principal, target: asked }: PipelineSession): KubernetesEnvironment => {
    const { classes } = inForce.targets;
    return { target, classes, revealed: inForce.policy.reveals(principal, asked, classes.names), principal };
  };
  return {
    dialect: requestProtocols.kubernetes,
    upstream,
    reads: (request, session) => requestProtocols.kubernetes.reads(request, environment(session)),
    ask: (request, session, read) => requestProtocols.kubernetes.ask(request, environment(session), read),
  };
}

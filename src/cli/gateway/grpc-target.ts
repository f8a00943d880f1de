import type { GrpcTargetConfig } from '../../config/index.ts';
import type { RequestTarget } from '../../net/http-target.ts';
import { inflate } from '../../net/message-inflate.ts';
import { passesThrough, type GrpcTarget } from '../../protocols/grpc/index.ts';
import { requestProtocols } from '../../protocols/registry.ts';
import type { InForce } from './in-force.ts';
import type { WayToTarget } from './request-targets.ts';

/** A gRPC target, and what its calls need to know. */
export function grpcTarget(config: GrpcTargetConfig, inForce: InForce, { upstream, credential }: WayToTarget): RequestTarget {
  const { name, masking, readOnly, reflection, unsafeAdmin, maxMessageBytes } = config;
  const target: GrpcTarget = {
    name,
    masking,
    readOnly,
    reflection,
    unsafeAdmin,
    maxMessageBytes,
    credentialNames: credential?.fieldNames ?? [],
  };
  const schema = undefined;
  return {
    dialect: requestProtocols.grpc,
    upstream,
    passes: ({ path }) => passesThrough(path, schema),
    reads: () => [],
    ask(request, { principal, target: asked, limits }) {
      const { classes } = inForce.targets;
      const revealed = inForce.policy.reveals(principal, asked, classes.names);
      return requestProtocols.grpc.ask(request, { target, classes, revealed, schema, inflate, limits }, []);
    },
  };
}

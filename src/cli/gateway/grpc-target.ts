import type { GrpcTargetConfig } from '../../config/index.ts';
import type { RequestTarget } from '../../net/http-target.ts';
import type { Upstream } from '../../net/http-upstream-answer.ts';
import { inflate } from '../../net/message-inflate.ts';
import { crossOrigin, passesThrough, type GrpcTarget } from '../../protocols/grpc/index.ts';
import { requestProtocols } from '../../protocols/registry.ts';
import { fixedSchema, SelfDescribed, type SchemaSource } from './grpc-schema.ts';
import type { InForce } from './in-force.ts';
import type { WayToTarget } from './request-targets.ts';

/** A gRPC target, and what its calls need to know. */
export function grpcTarget(config: GrpcTargetConfig, inForce: InForce, { upstream, credential }: WayToTarget): RequestTarget {
  const target = grpcSettings(config, credential?.fieldNames);
  const source = schemaSource(config, inForce, upstream);
  return {
    dialect: requestProtocols.grpc,
    upstream,
    passes: ({ path }) => passesThrough(path, source.current()),
    ready: (session) => source.known(session),
    crossOrigin: (head) => crossOrigin(head, config.webOrigins),
    reads: () => [],
    ask(request, { principal, target: asked, limits }) {
      const { classes } = inForce.targets;
      const revealed = inForce.policy.reveals(principal, asked, classes.names);
      return requestProtocols.grpc.ask(
        request,
        { target, classes, revealed, schema: source.current(), closed: source.closed(), inflate, limits },
        [],
      );
    },
  };
}

export function grpcSettings(config: GrpcTargetConfig, credentialNames: readonly string[] = []): GrpcTarget {
  const { name, masking, readOnly, reflection, unsafeAdmin, maxMessageBytes } = config;
  return { name, masking, readOnly, reflection, unsafeAdmin, maxMessageBytes, credentialNames };
}

function schemaSource(config: GrpcTargetConfig, inForce: InForce, upstream: Upstream): SchemaSource {
  const { name, schema } = config;
  if (schema?.reflectionMs === undefined) return fixedSchema(inForce.targets.grpcSchema(name));
  const report = (what: string, error: unknown): void => inForce.report(what, error);
  return new SelfDescribed({ name, schema, places: inForce.targets.documentPlaces(name), upstream, report });
}

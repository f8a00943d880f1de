import type { RequestTargetConfig } from '../config/index.ts';
import type { Principal } from '../core/principal.ts';
import { compileDataClasses, type DataClasses } from '../masking/classes.ts';
import { nodeCrypto } from '../net/crypto.ts';
import { nodeInflate } from '../net/inflate.ts';
import { inflate } from '../net/message-inflate.ts';
import { explainRequest, nobody, type RequestMeaning } from '../protocols/explain.ts';
import type { GrpcSchema } from '../protocols/grpc/index.ts';
import { requestProtocols } from '../protocols/registry.ts';
import type { AskedRequest, ReceivedRequest } from '../protocols/request.ts';
import { cosmosSettings } from './gateway/cosmos-target.ts';
import { grpcSettings } from './gateway/grpc-target.ts';
import { httpSettings } from './gateway/http-target.ts';
import { kubernetesSettings } from './gateway/kubernetes-target.ts';

export { NotARequest } from '../protocols/written-request.ts';
export type { RequestMeaning };

/** What is known where a request is explained. */
export interface ExplainedFor {
  readonly principal: Principal;
  readonly classes: DataClasses;
  readonly revealed: ReadonlySet<string>;
  /** Of a gRPC target, where the configuration has its descriptors. */
  readonly schema: GrpcSchema | undefined;
}

/**
 * What a request that is written down would mean at this target; without one, what connecting means. Nothing is sent: what the gateway would have to ask the target
 * (a pod's security context, a schema by reflection) is not known, and taken for the worst. Throws `NotARequest`.
 */
export function requestMeaning(config: RequestTargetConfig, written: string | undefined, known: ExplainedFor): RequestMeaning {
  const dialect = requestProtocols[config.protocol];
  return explainRequest({ written, target: config.name, dialect, ask: (request) => askedOf(config, request, known) });
}

function askedOf(
  config: RequestTargetConfig,
  request: ReceivedRequest,
  { principal, classes, revealed, schema }: ExplainedFor,
): AskedRequest {
  const seen = { classes, revealed };
  switch (config.protocol) {
    case 'http': {
      const target = httpSettings(config);
      return requestProtocols.http.ask(request, { ...seen, target, randomBytes: (length) => nodeCrypto.randomBytes(length) }, []);
    }
    case 'grpc': {
      // Its schema is the target's to tell: that nobody knows it here does not mean that nothing can be masked there.
      const masks = config.schema?.reflectionMs === undefined ? seen : { classes: noClasses, revealed: none };
      return requestProtocols.grpc.ask(
        request,
        { ...masks, target: grpcSettings(config), schema, closed: undefined, inflate, limits: unlimited },
        [],
      );
    }
    case 'kubernetes': {
      const streams = { session: nobody, inflate: nodeInflate, maskKey: () => nodeCrypto.randomBytes(4), forwards: new Map() };
      return requestProtocols.kubernetes.ask(request, { ...seen, target: kubernetesSettings(config), principal, streams }, [noPod]);
    }
    case 'cosmos':
      return requestProtocols.cosmos.ask(request, { ...seen, target: cosmosSettings(config) }, []);
    default:
      return config satisfies never;
  }
}

const none: ReadonlySet<string> = new Set();
const noClasses = compileDataClasses([], nodeCrypto, new Uint8Array(32));
const unlimited = { inForce: {}, rowsLeft: () => Infinity, countRows: () => {} };
const noPod = { status: 404, body: new Uint8Array(0) };

import { GatewayFault } from '../../core/fault.ts';
import type { GrpcMethod, MessageMasker } from './environment.ts';
import type { MethodName } from './method-name.ts';

/** The methods of grpc.health.v1 (health.proto), which a target need not describe. */
export function healthMethod({ service, rpc }: MethodName): GrpcMethod | undefined {
  if (service !== 'grpc.health.v1.Health' || (rpc !== 'Check' && rpc !== 'Watch')) return undefined;
  return {
    clientStreams: false,
    serverStreams: rpc === 'Watch',
    noSideEffects: true,
    masker: (direction) => (direction === 'response' ? healthAnswer : healthRequest),
    statusMasker: () => ({ mask: () => nothingElse() }),
  };
}

/** `HealthCheckResponse`: one enum in field 1, or nothing. Whatever else stands there is not shown. */
const healthAnswer: MessageMasker = {
  hiddenClasses: [],
  mask: (bytes) => (statusOf(bytes) === undefined ? nothingElse() : { bytes, masked: new Map() }),
  text: (bytes) => statusOf(bytes),
};

/** `HealthCheckRequest`: the name of a service. */
const healthRequest: MessageMasker = {
  hiddenClasses: [],
  mask: (bytes) => ({ bytes, masked: new Map() }),
  text: (bytes) => (bytes.length === 0 ? '{}' : undefined),
};

function statusOf(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return '{}';
  const isStatus = bytes.length === 2 && bytes[0] === 0x08 && bytes[1]! < NAMES.length;
  return isStatus ? `{"status":"${NAMES[bytes[1]!]}"}` : undefined;
}

function nothingElse(): GatewayFault {
  return new GatewayFault('masking-refused', { publicMessage: 'the answer is not what grpc.health.v1 describes' });
}

const NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

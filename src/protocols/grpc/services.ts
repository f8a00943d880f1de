import { GatewayFault } from '../../core/fault.ts';
import type { ActionName } from '../../core/operation.ts';
import type { GrpcTarget } from './environment.ts';
import type { MethodName } from './method-name.ts';

/** Services that are about the server, not about what it serves. */
export type ServiceKind =
  | 'application'
  /** grpc.health.v1 */
  | 'health'
  /** grpc.reflection.v1, .v1alpha: the whole schema. */
  | 'reflection'
  /** channelz, the admin services of gRPC and Envoy, xDS: connections, configuration, statistics of the process. */
  | 'admin';

export function kindOf({ service }: MethodName): ServiceKind {
  if (service === 'grpc.health.v1.Health') return 'health';
  if (service.startsWith('grpc.reflection.')) return 'reflection';
  return ADMIN.some((prefix) => service.startsWith(prefix)) ? 'admin' : 'application';
}

/** Why the target does not offer such a service to clients, whatever policy says; undefined where it does. */
export function closedService(kind: ServiceKind, { reflection, unsafeAdmin }: GrpcTarget): GatewayFault | undefined {
  switch (kind) {
    case 'application':
    case 'health':
      return undefined;
    case 'reflection':
      return reflection
        ? undefined
        : closed('reflection is off for this target', 'Take the schema from its source, or have reflection allowed.');
    case 'admin':
      return unsafeAdmin
        ? undefined
        : closed('services that are about the server itself are off for this target', 'Ask the platform team.');
    default:
      return kind satisfies never;
  }
}

/** One action says how much is known: of a method that nobody has described both are asked for. */
export function actionsOf(kind: ServiceKind, streams: boolean | undefined): readonly ActionName[] {
  if (kind === 'health') return ['grpc:health'];
  if (kind === 'reflection') return ['grpc:reflect'];
  if (streams === undefined) return ['grpc:call', 'grpc:stream'];
  return [streams ? 'grpc:stream' : 'grpc:call'];
}

function closed(publicMessage: string, hint: string): GatewayFault {
  return new GatewayFault('policy-denied', { publicMessage, hint });
}

const ADMIN: readonly string[] = ['grpc.channelz.', 'grpc.admin.', 'grpc.testing.XdsUpdate', 'envoy.admin.', 'envoy.service.'];

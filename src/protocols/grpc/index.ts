import type { RequestProtocol } from '../request.ts';
import { bearerOf } from '../http/identify.ts';
import { GatewayFault } from '../../core/fault.ts';
import { askGrpc } from './ask.ts';
import type { GrpcEnvironment } from './environment.ts';
import { callFault } from './fault.ts';
import { carriageOf, valueOf } from './head.ts';
import { methodOf } from './method-name.ts';

export { passesThrough } from './ask.ts';
export { crossOrigin } from './cross-origin.ts';
export { describedBy } from './described.ts';
export type { GrpcEnvironment, GrpcSchema, GrpcTarget, Inflate } from './environment.ts';

export const grpcProtocol: RequestProtocol<GrpcEnvironment> = {
  name: 'grpc',
  place: undefined,
  recognises: ({ fields }) => carriageOf(valueOf(fields, 'content-type')) !== undefined,
  identify: bearerOf,
  gathers: 1024 * 1024,
  /** Clients of gRPC take an informational answer for the metadata of the call. */
  tellsHeld: false,
  /** Exactly a method's name: it means to every server what it means here. */
  readTarget(text) {
    const name = methodOf(text);
    return name instanceof GatewayFault ? name : { path: text, query: undefined, decodedPath: text, parameters: [] };
  },
  ask: askGrpc,
  fault: callFault,
};

import { GatewayFault } from '../../core/fault.ts';
import type { GrpcEnvironment, GrpcMasks, GrpcMethod, GrpcSchema, MessageCoding } from './environment.ts';
import type { CallHead } from './head.ts';
import { healthMethod } from './health.ts';
import { masksOf, recordMasksOf } from './masks.ts';
import type { MethodName } from './method-name.ts';
import type { ServiceKind } from './services.ts';

/** A call whose head was read, and what is known of its method. */
export interface Call {
  readonly name: MethodName;
  readonly kind: ServiceKind;
  readonly head: CallHead;
  /** Undefined: nobody has described it. */
  readonly described: GrpcMethod | undefined;
  /** For its principal. */
  readonly masks: GrpcMasks;
  /** For the record. */
  readonly recordMasks: GrpcMasks;
  readonly environment: GrpcEnvironment;
}

export function callOf(name: MethodName, kind: ServiceKind, head: CallHead, environment: GrpcEnvironment): Call {
  const described = describedMethod(name, environment.schema);
  return { name, kind, head, described, masks: masksOf(environment), recordMasks: recordMasksOf(environment), environment };
}

/** Health checking is the same everywhere and need not be in the schema of a target. */
export function describedMethod(name: MethodName, schema: GrpcSchema | undefined): GrpcMethod | undefined {
  return schema?.method(name.full) ?? healthMethod(name);
}

/** A message without its compression. Throws `limit-exceeded` for one that grows too long, `protocol-violation` for one that is not what it says. */
export function plainMessage(
  { target, inflate }: GrpcEnvironment,
  of: 'request' | 'answer',
  isCompressed: boolean,
  coding: MessageCoding | undefined,
  message: Uint8Array,
): Uint8Array {
  if (!isCompressed) return message;
  if (coding === undefined) throw broken(`a message of the ${of} is compressed, and the head does not say how`);
  const plain = inflate(coding, message, target.maxMessageBytes);
  if (plain === undefined) throw broken(`a message of the ${of} is not the ${coding} that it says it is`);
  if (plain === 'too-long') {
    throw new GatewayFault('limit-exceeded', {
      publicMessage: `a message of the ${of} has more than ${target.maxMessageBytes} bytes when it is decompressed`,
    });
  }
  return plain;
}

function broken(publicMessage: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage });
}

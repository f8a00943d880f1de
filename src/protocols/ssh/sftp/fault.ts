import { assertNever, type FaultCode, type GatewayFault } from '../../../core/fault.ts';
import { channelRefusal } from '../channel-fault.ts';
import { statusPacket } from './encode.ts';
import { STATUS } from './messages.ts';

/** How a client is told that the gateway refuses a request: in its place, with the whole reason as the text, which some clients show and OpenSSH does not. */
export function refusalPacket(id: number, fault: GatewayFault, operationId: string | undefined): Uint8Array {
  return statusPacket(id, statusCode(fault.code), channelRefusal(fault, operationId, false).text.trimEnd());
}

function statusCode(code: FaultCode): number {
  switch (code) {
    case 'policy-denied':
    case 'approval-denied':
    case 'approval-expired':
    case 'approval-cancelled':
    case 'approval-required':
    case 'access-denied':
    case 'target-unknown':
    case 'unclassified':
    case 'masking-refused':
    case 'reason-required':
    case 'read-only':
    case 'authentication-failed':
    case 'encryption-required':
      return STATUS.permissionDenied;
    case 'unsupported':
      return STATUS.unsupported;
    case 'protocol-violation':
      return STATUS.badMessage;
    case 'limit-exceeded':
    case 'too-many-sessions':
    case 'rate-exceeded':
    case 'policy-unavailable':
    case 'audit-unavailable':
    case 'recording-unavailable':
    case 'statement-timeout':
    case 'schema-changed':
    case 'internal':
      return STATUS.failure;
    case 'session-ended':
    case 'shutting-down':
    case 'upstream-unavailable':
    case 'upstream-refused':
      return STATUS.connectionLost;
    default:
      return assertNever(code, 'fault code');
  }
}

/** As the draft has them (section 7). */
export function statusName(code: number): string {
  return statusNames[code] ?? `SSH_FX_${code}`;
}

const statusNames = [
  'SSH_FX_OK',
  'SSH_FX_EOF',
  'SSH_FX_NO_SUCH_FILE',
  'SSH_FX_PERMISSION_DENIED',
  'SSH_FX_FAILURE',
  'SSH_FX_BAD_MESSAGE',
  'SSH_FX_NO_CONNECTION',
  'SSH_FX_CONNECTION_LOST',
  'SSH_FX_OP_UNSUPPORTED',
];

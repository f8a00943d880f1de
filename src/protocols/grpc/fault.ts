import { assertNever } from '../../core/fault.ts';
import type { FaultCode, GatewayFault } from '../../core/fault.ts';
import { escapeLine } from '../../core/escape.ts';
import { toBase64 } from '../base64.ts';
import { problemOf } from '../http/fault.ts';
import type { FaultAnswer, FaultContext, HeaderField } from '../request.ts';
import { carriageOf, contentTypeOf } from './head.ts';
import { codeOf, encodeMessage, type StatusName } from './status.ts';

/** "Trailers-Only": an answer that is nothing but its head. Who did not make a call of gRPC gets what HTTP has for it. */
export function callFault(fault: GatewayFault, context: FaultContext): FaultAnswer {
  const asked = carriageOf(context.contentType);
  if (asked === undefined) {
    const problem = problemOf(fault, context);
    // RFC 9110 section 15.5.16, as gRPC over HTTP/2 asks for it.
    return fault.code === 'unsupported' ? { ...problem, status: 415 } : problem;
  }
  const contentType = { name: 'content-type', value: contentTypeOf(asked.carriage, asked.subtype) };
  return { status: 200, fields: [contentType, ...statusFields(fault, context)], body: new Uint8Array(0) };
}

/** The status of a call for a fault, as trailers. Nothing of its `detail` or `cause` is in it. */
export function statusFields(fault: GatewayFault, context: FaultContext = {}): readonly HeaderField[] {
  const { status, hint } = word(fault.code);
  const { operationId, approval } = context;
  const said = [
    fault.publicMessage,
    fault.hint ?? hint,
    ...(approval === undefined ? [] : [`Approval ${approval.id}: ${approval.link}`]),
    ...(operationId === undefined ? [] : [`Operation ${operationId}.`]),
  ];
  const text = cut(escapeLine(said.map(asSentence).join(' ')));
  const metadata: readonly (readonly [string, string])[] = [
    ...(operationId === undefined ? [] : [['operation', operationId] as const]),
    ...(approval === undefined ? [] : [['approval', approval.id] as const, ['approval_link', approval.link] as const]),
  ];
  const details = richStatus(codeOf(status), text, reasonOf(fault.code), metadata);
  return [
    { name: 'grpc-status', value: String(codeOf(status)) },
    { name: 'grpc-message', value: encodeMessage(text) },
    { name: 'grpc-status-details-bin', value: toBase64(details) },
  ];
}

interface Wording {
  readonly status: StatusName;
  /** What to do next, where the fault does not say it better. */
  readonly hint: string;
}

function word(code: FaultCode): Wording {
  switch (code) {
    case 'authentication-failed':
      return say('UNAUTHENTICATED', 'Send the metadata "authorization: Bearer" with a valid OIDC token or gateway token.');
    case 'session-ended':
      return say('UNAUTHENTICATED', 'Call again with a fresh token.');
    case 'access-denied':
    case 'target-unknown':
      // One wording for both: nobody may find out which names exist.
      return say(
        'PERMISSION_DENIED',
        'Check the target name (the authority is <target>.<gateway host>) and ask the platform team for access to it.',
      );
    case 'encryption-required':
      return say('PERMISSION_DENIED', 'Use TLS.');
    case 'policy-denied':
      return say('PERMISSION_DENIED', 'Policy does not allow this; ask the platform team if it should.');
    case 'approval-denied':
      return say('PERMISSION_DENIED', 'A reviewer refused this. Talk to the reviewer before you ask again.');
    case 'approval-expired':
      return say('PERMISSION_DENIED', 'Nobody answered in time. Call again when a reviewer is available.');
    case 'approval-required':
      return say('FAILED_PRECONDITION', 'Make exactly the same call again once it is approved.');
    case 'approval-cancelled':
      return say('CANCELLED', 'Call again to ask for approval anew.');
    case 'reason-required':
      return say('FAILED_PRECONDITION', 'State a reason in the metadata sallyport-reason.');
    case 'read-only':
      return say('PERMISSION_DENIED', 'This target is for reading only.');
    case 'schema-changed':
      return say('ABORTED', 'What the answer shows is not certain. Call again.');
    case 'masking-refused':
      return say('PERMISSION_DENIED', 'Ask for less, or ask the platform team.');
    case 'unclassified':
    case 'unsupported':
      return say('UNIMPLEMENTED', 'The gateway does not offer this.');
    case 'protocol-violation':
      return say('INTERNAL', 'Check the client.');
    case 'limit-exceeded':
      return say('RESOURCE_EXHAUSTED', 'Send or ask for less at a time, or have the limit raised in the gateway’s configuration.');
    case 'too-many-sessions':
      return say('RESOURCE_EXHAUSTED', 'Use one token for all calls of a job, or wait until a session ends.');
    case 'rate-exceeded':
      return say('RESOURCE_EXHAUSTED', 'Wait as long as it says, call less often, or have the limit raised.');
    case 'statement-timeout':
      return say('DEADLINE_EXCEEDED', 'What was running may or may not have taken effect.');
    case 'audit-unavailable':
      return say('UNAVAILABLE', 'The audit log cannot be written, so nothing may take effect. Retry in a few seconds.');
    case 'recording-unavailable':
      return say('UNAVAILABLE', 'The session’s recording cannot be written, so nothing may take effect. Retry in a few seconds.');
    case 'policy-unavailable':
      return say('UNAVAILABLE', 'Policy could not be evaluated, so nothing is allowed. Tell the platform team.');
    case 'shutting-down':
      return say('UNAVAILABLE', 'The gateway is stopping. Call again in a few seconds.');
    case 'upstream-unavailable':
      return say('UNAVAILABLE', 'The target does not answer. Try again in a moment.');
    case 'upstream-refused':
      return say('INTERNAL', 'The target refused the gateway. Tell the platform team.');
    case 'internal':
      return say('INTERNAL', 'This is a defect of the gateway. Report it with the operation or session id.');
    default:
      return assertNever(code, 'fault code');
  }
}

function say(status: StatusName, hint: string): Wording {
  return { status, hint };
}

/**
 * A `google.rpc.Status` (google/rpc/status.proto) whose one detail is a `google.rpc.ErrorInfo` (error_details.proto): what clients' libraries read reason and
 * operation from without taking a text apart.
 */
function richStatus(code: number, message: string, reason: string, metadata: readonly (readonly [string, string])[]): Uint8Array {
  const errorInfo = [
    ...lengthDelimited(1, encoder.encode(reason)),
    ...lengthDelimited(2, encoder.encode('sallyport')),
    ...metadata.flatMap(([name, value]) => {
      const entry = [...lengthDelimited(1, encoder.encode(name)), ...lengthDelimited(2, encoder.encode(value))];
      return lengthDelimited(3, entry);
    }),
  ];
  const any = [...lengthDelimited(1, encoder.encode('type.googleapis.com/google.rpc.ErrorInfo')), ...lengthDelimited(2, errorInfo)];
  return Uint8Array.from([(1 << 3) | 0, code, ...lengthDelimited(2, encoder.encode(message)), ...lengthDelimited(3, any)]);
}

function lengthDelimited(field: number, bytes: Uint8Array | readonly number[]): number[] {
  return [(field << 3) | 2, ...varint(bytes.length), ...bytes];
}

function varint(value: number): number[] {
  const octets: number[] = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 0x80) return [...octets, left];
    octets.push((left & 0x7f) | 0x80);
  }
}

/** `policy-denied` → `POLICY_DENIED`, as ErrorInfo spells reasons. */
function reasonOf(code: FaultCode): string {
  return code.replaceAll('-', '_').toUpperCase();
}

function asSentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** A status has to fit into the 8 KiB of metadata that C-core takes, together with its details. */
function cut(text: string): string {
  return text.length <= mostCharacters ? text : `${text.slice(0, mostCharacters)}…`;
}

const encoder = new TextEncoder();
const mostCharacters = 1_024;

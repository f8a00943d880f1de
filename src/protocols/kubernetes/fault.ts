import { assertNever, type FaultCode, type GatewayFault } from '../../core/fault.ts';
import { printable } from '../../core/printable.ts';
import type { FaultAnswer, FaultContext, HeaderField } from '../request.ts';
import { MEDIA } from './body.ts';

/**
 * A fault as the API server would word it (meta/v1 `Status`), so that clients show it as an error of the cluster and act by its reason. Nothing of its `detail` or
 * `cause` is in it.
 */
export function statusOf(fault: GatewayFault, context: FaultContext = {}): FaultAnswer {
  const { code, reason, hint, retryAfterSeconds } = word(fault, context);
  const approval = context.approval === undefined ? '' : ` (approval ${context.approval.id}: ${context.approval.link})`;
  const operation = context.operationId === undefined ? '' : ` [operation ${context.operationId}]`;
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    // All in one: of a Status, kubectl shows its message and little else.
    message: printable(`${fault.publicMessage}${approval}. ${fault.hint ?? hint}${operation}`),
    reason,
    details: {
      causes: [{ reason: `sallyport:${fault.code}`, message: printable(fault.publicMessage) }],
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    },
    code,
  };
  const fields: HeaderField[] = [
    { name: 'content-type', value: 'application/json' },
    { name: 'cache-control', value: 'no-store' },
  ];
  if (code === 401) fields.push({ name: 'www-authenticate', value: 'Bearer realm="sallyport", error="invalid_token"' });
  if (retryAfterSeconds !== undefined) fields.push({ name: 'retry-after', value: String(retryAfterSeconds) });
  return { status: code, fields, body: new TextEncoder().encode(`${JSON.stringify(status)}\n`) };
}

interface Wording {
  readonly code: number;
  /** One of `StatusReason` (apimachinery `meta/v1/types.go`). */
  readonly reason: string;
  /** What to do next, where the fault does not say it better. */
  readonly hint: string;
  /** client-go waits for so long and asks again, ten times at most. */
  readonly retryAfterSeconds?: number;
}

function word(fault: GatewayFault, context: FaultContext): Wording {
  const code: FaultCode = fault.code;
  switch (code) {
    case 'authentication-failed':
      return unauthorized('Sign in with a valid OIDC token or gateway token: sallyport connect <target>.');
    case 'session-ended':
      return unauthorized('Ask again with a fresh token.');
    case 'access-denied':
    case 'target-unknown':
      // One wording for both: nobody may find out which names exist.
      return forbidden('Check the target name (/k8s/<target>) and ask the platform team for access to it.');
    case 'encryption-required':
      return forbidden('Use https.');
    case 'policy-denied':
      return forbidden('Policy does not allow this; ask the platform team if it should.');
    case 'approval-denied':
      return forbidden('A reviewer refused this. Talk to the reviewer before you ask again.');
    case 'approval-expired':
      return forbidden('Nobody answered in time. Ask again when a reviewer is available.');
    case 'approval-required':
      return forbidden('Run exactly the same again once it is approved.');
    case 'approval-cancelled':
      return forbidden('Run it again to ask for approval anew.');
    case 'reason-required':
      return forbidden('State a reason in the header Sallyport-Reason.');
    case 'read-only':
      return forbidden('This target is for reading only.');
    case 'masking-refused':
      return forbidden('Values of this object are hidden from you.');
    case 'schema-changed':
      return { code: 409, reason: 'Conflict', hint: 'Ask again.' };
    case 'unclassified':
    case 'protocol-violation':
      return { code: 400, reason: 'BadRequest', hint: 'Send it so that every server reads it in the same way.' };
    case 'unsupported':
      return fault.detail === MEDIA
        ? { code: 415, reason: 'UnsupportedMediaType', hint: 'Send JSON.' }
        : { code: 400, reason: 'BadRequest', hint: 'The gateway does not offer this.' };
    case 'limit-exceeded':
      return context.ofTheAnswer === true
        ? forbidden('Ask for less at a time (--chunk-size, a selector), or have the limit raised.')
        : { code: 413, reason: 'RequestEntityTooLarge', hint: 'Send less at a time.' };
    case 'too-many-sessions':
    case 'rate-exceeded':
      return { code: 429, reason: 'TooManyRequests', hint: 'Send fewer requests, or have the limit raised.', retryAfterSeconds: 10 };
    case 'statement-timeout':
      return { code: 504, reason: 'Timeout', hint: 'What was asked may or may not have taken effect.' };
    case 'audit-unavailable':
    case 'recording-unavailable':
      return unavailable('Nothing may take effect that cannot be recorded. Ask again in a few seconds.', 5);
    case 'policy-unavailable':
      return unavailable('Policy could not be evaluated, so nothing is allowed. Tell the platform team.', undefined);
    case 'shutting-down':
      return unavailable('Ask again in a few seconds.', 5);
    case 'upstream-unavailable':
      return unavailable('The cluster does not answer. Try again in a moment.', undefined);
    case 'upstream-refused':
      return unavailable('Tell the platform team.', undefined);
    case 'internal':
      return { code: 500, reason: 'InternalError', hint: 'This is a defect of the gateway. Report it with the operation or session id.' };
    default:
      return assertNever(code, 'fault code');
  }
}

function unauthorized(hint: string): Wording {
  return { code: 401, reason: 'Unauthorized', hint };
}

function forbidden(hint: string): Wording {
  return { code: 403, reason: 'Forbidden', hint };
}

function unavailable(hint: string, retryAfterSeconds: number | undefined): Wording {
  return { code: 503, reason: 'ServiceUnavailable', hint, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) };
}

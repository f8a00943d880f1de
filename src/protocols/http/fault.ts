import { assertNever } from '../../core/fault.ts';
import type { FaultCode, GatewayFault } from '../../core/fault.ts';
import { printable } from '../../core/printable.ts';
import type { FaultAnswer, FaultContext, HeaderField } from '../request.ts';

/** The problem document (RFC 9457) for a fault. Nothing of its `detail` or `cause` is in it. */
export function problemOf(fault: GatewayFault, context: FaultContext = {}): FaultAnswer {
  const { status, title, hint, fields = [] } = word(fault.code, context);
  const document = {
    type: `urn:sallyport:problem:${fault.code}`,
    title,
    status,
    detail: printable(fault.publicMessage),
    hint: printable(fault.hint ?? hint),
    ...(context.operationId === undefined ? {} : { operation: context.operationId }),
    ...(context.approval === undefined ? {} : { approval: context.approval }),
  };
  return {
    status,
    fields: [{ name: 'content-type', value: 'application/problem+json' }, { name: 'cache-control', value: 'no-store' }, ...fields],
    body: new TextEncoder().encode(`${JSON.stringify(document)}\n`),
  };
}

interface Wording {
  readonly status: number;
  readonly title: string;
  /** What to do next, where the fault does not say it better. */
  readonly hint: string;
  readonly fields?: readonly HeaderField[];
}

function word(code: FaultCode, { ofTheAnswer }: FaultContext): Wording {
  switch (code) {
    case 'authentication-failed':
      return { ...unauthorized, title: 'Not signed in', hint: 'Send Authorization: Bearer with a valid OIDC token or gateway token.' };
    case 'session-ended':
      return { ...unauthorized, title: 'Session ended', hint: 'Send the request again with a fresh token.' };
    case 'access-denied':
    case 'target-unknown':
      // One wording for both: nobody may find out which names exist.
      return denied('Access denied', 'Check the target name (/http/<target>/…) and ask the platform team for access to it.');
    case 'encryption-required':
      return denied('Encryption required', 'Use https.');
    case 'policy-denied':
      return denied('Denied by policy', 'Policy does not allow this; ask the platform team if it should.');
    case 'approval-denied':
      return denied('Approval refused', 'A reviewer refused this. Talk to the reviewer before you ask again.');
    case 'approval-expired':
      return denied('Approval expired', 'Nobody answered in time. Send it again when a reviewer is available.');
    case 'approval-required':
      return denied('Approval required', 'Send exactly the same request again once it is approved.');
    case 'approval-cancelled':
      return denied('Approval cancelled', 'Send it again to ask for approval anew.');
    case 'reason-required':
      return denied('Reason required', 'State a reason in the header Sallyport-Reason.');
    case 'read-only':
      return denied('Read-only target', 'This target is for reading only.');
    case 'schema-changed':
      return denied('Schema changed', 'What the answer shows is not certain. Send it again.');
    case 'masking-refused':
      return denied('Answer not shown', 'Ask for JSON, or for less.');
    case 'unclassified':
      return { status: 400, title: 'Ambiguous request', hint: 'Send the request so that every server reads it in the same way.' };
    case 'protocol-violation':
      return { status: 400, title: 'Malformed request', hint: 'Check the client; the connection was closed.' };
    case 'unsupported':
      return { status: 501, title: 'Not supported', hint: 'The gateway does not offer this.' };
    case 'limit-exceeded':
      return ofTheAnswer === true
        ? denied('Limit exceeded', 'Ask for less at a time, or have the limit raised in the gateway’s configuration.')
        : { status: 413, title: 'Limit exceeded', hint: 'Send less at a time.' };
    case 'too-many-sessions':
      return {
        status: 429,
        title: 'Too many sessions',
        hint: 'Use one token for all requests of a job, or wait until a session ends.',
        fields: later(10),
      };
    case 'rate-exceeded':
      return {
        status: 429,
        title: 'Too many requests',
        hint: 'Wait as long as it says, send fewer requests, or have the limit raised.',
        fields: later(10),
      };
    case 'statement-timeout':
      return { status: 504, title: 'Target too slow', hint: 'What was running may or may not have taken effect.' };
    case 'audit-unavailable':
      return {
        status: 503,
        title: 'No audit log',
        hint: 'The audit log cannot be written, so nothing may take effect. Retry in a few seconds.',
        fields: later(5),
      };
    case 'recording-unavailable':
      return {
        status: 503,
        title: 'No recording',
        hint: 'The session’s recording cannot be written, so nothing may take effect. Retry in a few seconds.',
        fields: later(5),
      };
    case 'policy-unavailable':
      return {
        status: 503,
        title: 'No policy',
        hint: 'Policy could not be evaluated, so nothing is allowed. Tell the platform team.',
        fields: later(30),
      };
    case 'shutting-down':
      return { status: 503, title: 'Gateway stopping', hint: 'Send it again in a few seconds.', fields: later(5) };
    case 'upstream-unavailable':
      return { status: 502, title: 'Target unavailable', hint: 'The target does not answer. Try again in a moment.' };
    case 'upstream-refused':
      return { status: 502, title: 'Target refused the gateway', hint: 'Tell the platform team.' };
    case 'internal':
      return { status: 500, title: 'Internal error', hint: 'This is a defect of the gateway. Report it with the operation or session id.' };
    default:
      return assertNever(code, 'fault code');
  }
}

function denied(title: string, hint: string): Wording {
  return { status: 403, title, hint };
}

function later(seconds: number): readonly HeaderField[] {
  return [{ name: 'retry-after', value: String(seconds) }];
}

/** RFC 6750 section 3. */
const unauthorized = { status: 401, fields: [{ name: 'www-authenticate', value: 'Bearer realm="sallyport", error="invalid_token"' }] };

import { assertNever } from '../../core/fault.ts';
import type { FaultCode, GatewayFault } from '../../core/fault.ts';
import { printable } from '../../core/printable.ts';
import type { FaultAnswer, FaultContext, HeaderField } from '../request.ts';

/**
 * A fault as Cosmos DB words errors: `{ code, message }`, status, sub-status where SDKs go by one, the operation's id as the activity id. What SDKs try again by
 * themselves (429, 503) is what may be tried again. Nothing of its `detail` or `cause` is in it.
 */
export function cosmosError(fault: GatewayFault, context: FaultContext = {}): FaultAnswer {
  const { status, code, hint, fields = [] } = word(fault.code, context);
  const parts = [
    fault.publicMessage,
    fault.hint ?? hint,
    ...(context.approval === undefined ? [] : [`Approval: ${context.approval.link}`]),
    ...(context.operationId === undefined ? [] : [`ActivityId: ${context.operationId}`]),
  ];
  const document = {
    code,
    message: parts.map((part) => printable(part)).join('\r\n'),
    sallyport: { code: fault.code, operation: context.operationId, approval: context.approval },
  };
  return {
    status,
    fields: [
      { name: 'content-type', value: 'application/json' },
      { name: 'cache-control', value: 'no-store' },
      ...(context.operationId === undefined ? [] : [{ name: 'x-ms-activity-id', value: context.operationId }]),
      ...fields,
    ],
    body: new TextEncoder().encode(JSON.stringify(document)),
  };
}

interface Wording {
  readonly status: number;
  /** The service's own names of errors (Microsoft Learn, "HTTP status codes for Azure Cosmos DB"). */
  readonly code: string;
  /** What to do next, where the fault does not say it better. */
  readonly hint: string;
  readonly fields?: readonly HeaderField[];
}

function word(code: FaultCode, { ofTheAnswer }: FaultContext): Wording {
  switch (code) {
    case 'authentication-failed':
      return unauthorized('Give the SDK a token credential that answers with a token for this gateway.');
    case 'session-ended':
      return unauthorized('Send the request again with a fresh token.');
    case 'access-denied':
    case 'target-unknown':
      // One wording for both: nobody may find out which names exist.
      return forbidden('Check the target name (/cosmos/<target>) and ask the platform team for access to it.');
    case 'encryption-required':
      return forbidden('Use https.');
    case 'policy-denied':
      return forbidden('Policy does not allow this; ask the platform team if it should.');
    case 'approval-denied':
      return forbidden('A reviewer refused this. Talk to the reviewer before you ask again.');
    case 'approval-expired':
      return forbidden('Nobody answered in time. Send it again when a reviewer is available.');
    case 'approval-required':
      return forbidden('Send exactly the same request again once it is approved.');
    case 'approval-cancelled':
      return forbidden('Send it again to ask for approval anew.');
    case 'reason-required':
      return forbidden('State a reason in the header Sallyport-Reason.');
    case 'read-only':
      return forbidden('This target is for reading only.');
    case 'schema-changed':
      return forbidden('What the answer shows is not certain. Send it again.');
    case 'masking-refused':
      return forbidden('Name the paths that you need.');
    case 'unclassified':
    case 'protocol-violation':
      return { status: 400, code: 'BadRequest', hint: 'Send the request as the SDKs send it.' };
    case 'unsupported':
      return { status: 400, code: 'BadRequest', hint: 'The gateway does not offer this.' };
    case 'limit-exceeded':
      return ofTheAnswer === true
        ? forbidden('Ask for fewer items at a time, or have the limit raised in the gateway’s configuration.')
        : { status: 413, code: 'RequestEntityTooLarge', hint: 'Send less at a time.' };
    case 'too-many-sessions':
      return { ...tooMany, hint: 'Use one token for all requests of a job, or wait until a session ends.' };
    case 'rate-exceeded':
      return { ...tooMany, hint: 'Wait as long as it says, send fewer requests, or have the limit raised.' };
    case 'statement-timeout':
      return { status: 408, code: 'RequestTimeout', hint: 'What was running may or may not have taken effect.' };
    case 'audit-unavailable':
    case 'recording-unavailable':
      return unavailable('It cannot be put on record, so nothing may take effect. Retry in a few seconds.');
    case 'policy-unavailable':
      return unavailable('Policy could not be evaluated, so nothing is allowed. Tell the platform team.');
    case 'shutting-down':
      return unavailable('Send it again in a few seconds.');
    case 'upstream-unavailable':
      return unavailable('The account does not answer. Try again in a moment.');
    case 'upstream-refused':
      return { status: 502, code: 'BadGateway', hint: 'Tell the platform team.' };
    case 'internal':
      return { status: 500, code: 'InternalServerError', hint: 'This is a defect of the gateway. Report it with the activity id.' };
    default:
      return assertNever(code, 'fault code');
  }
}

/** 5301 is what the service says where a principal has no permission: no SDK looks for another region then. */
function forbidden(hint: string): Wording {
  return { status: 403, code: 'Forbidden', hint, fields: [{ name: 'x-ms-substatus', value: '5301' }] };
}

function unauthorized(hint: string): Wording {
  return { status: 401, code: 'Unauthorized', hint };
}

function unavailable(hint: string): Wording {
  return { status: 503, code: 'ServiceUnavailable', hint, fields: [{ name: 'retry-after', value: '5' }] };
}

const tooMany = {
  status: 429,
  code: 'TooManyRequests',
  fields: [
    { name: 'retry-after', value: '10' },
    { name: 'x-ms-retry-after-ms', value: '10000' },
    { name: 'x-ms-substatus', value: '3200' },
  ],
} as const;

import { assertNever, GatewayFault, type FaultCode } from '../../core/fault.ts';

/** How SSH clients are told of a fault, wherever it meets them. Nothing of its `detail` or `cause` is in it. */
export interface SshWording {
  /** One line for people, without an end of line: of a disconnection, of a channel that is not opened, of standard error. */
  readonly text: string;
  /** Reason of SSH_MSG_DISCONNECT (RFC 4253 section 11.1). */
  readonly disconnect: number;
  /** Reason of SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254 section 5.1). */
  readonly openFailure: number;
}

export function wordFault(fault: GatewayFault, operationId?: string): SshWording {
  const { hint, disconnect, openFailure } = word(fault.code);
  const operation = operationId === undefined ? '' : ` [operation ${operationId}]`;
  return { text: printable(`sallyport: ${withNextStep(fault, hint)}${operation}`), disconnect, openFailure };
}

/** What happened and what to do next, in sentences: the fault's own hint, or else this one. What policies say ends in a full stop of its own. */
export function withNextStep({ publicMessage, hint: own }: GatewayFault, hint: string): string {
  return `${publicMessage.endsWith('.') ? publicMessage : `${publicMessage}.`} ${own ?? hint}`;
}

/** What a peer may not do; which, for the record only. */
export function violation(detail: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: 'the SSH protocol does not allow this', detail });
}

interface Wording {
  /** What to do next, where the fault does not say it better. */
  readonly hint: string;
  readonly disconnect: number;
  readonly openFailure: number;
}

function word(code: FaultCode): Wording {
  switch (code) {
    case 'authentication-failed':
      return {
        hint: 'Sign in with a gateway token as password, or with a key of sallyport token --ssh.',
        disconnect: REASON.noMoreAuthMethods,
        openFailure: OPEN.prohibited,
      };
    case 'access-denied':
    case 'target-unknown':
      // One wording for both: nobody may find out which names exist.
      return denied('Check the user name (<target> or <remote-user>+<target>) and ask the platform team for access to it.');
    case 'encryption-required':
      return denied('Connect with SSH.');
    case 'policy-denied':
      return denied('Policy does not allow this; ask the platform team if it should.');
    case 'approval-denied':
      return denied('A reviewer refused this. Talk to the reviewer before you ask again.');
    case 'approval-expired':
      return denied('Nobody answered in time. Ask again when a reviewer is available.');
    case 'approval-required':
      return denied('Run exactly the same again once it is approved.');
    case 'approval-cancelled':
      return denied('Run it again to ask for approval anew.');
    case 'reason-required':
      return denied('State a reason: the environment variable SALLYPORT_REASON, where your client sends it.');
    case 'read-only':
      return denied('This target is for reading only.');
    case 'masking-refused':
      return denied('Values of this output are hidden from you.');
    case 'schema-changed':
      return denied('Run it again.');
    case 'unclassified':
      return denied('Write it so that it has one meaning only.');
    case 'unsupported':
      return { hint: 'Do without it.', disconnect: REASON.byApplication, openFailure: OPEN.unknownType };
    case 'protocol-violation':
      return { hint: 'Connect again with another client.', disconnect: REASON.protocolError, openFailure: OPEN.prohibited };
    case 'limit-exceeded':
      return { hint: 'Ask for less at a time.', disconnect: REASON.byApplication, openFailure: OPEN.shortage };
    case 'too-many-sessions':
    case 'rate-exceeded':
      return { hint: 'Try again in a moment.', disconnect: REASON.tooManyConnections, openFailure: OPEN.shortage };
    case 'statement-timeout':
      return { hint: 'Ask for less at a time.', disconnect: REASON.byApplication, openFailure: OPEN.connectFailed };
    case 'audit-unavailable':
    case 'policy-unavailable':
    case 'recording-unavailable':
      return unavailable('Try again in a moment; if it stays so, tell the platform team.');
    case 'upstream-unavailable':
      return unavailable('Try again in a moment.');
    case 'upstream-refused':
      return unavailable('Tell the platform team: the target’s host key or credential in the configuration does not fit.');
    case 'session-ended':
      return { hint: 'Connect again with a fresh token.', disconnect: REASON.byApplication, openFailure: OPEN.prohibited };
    case 'shutting-down':
      return unavailable('Connect again in a moment.');
    case 'internal':
      return { hint: 'Tell the platform team.', disconnect: REASON.byApplication, openFailure: OPEN.connectFailed };
    default:
      return assertNever(code, 'fault code');
  }
}

function denied(hint: string): Wording {
  return { hint, disconnect: REASON.byApplication, openFailure: OPEN.prohibited };
}

function unavailable(hint: string): Wording {
  return { hint, disconnect: REASON.serviceNotAvailable, openFailure: OPEN.connectFailed };
}

/** Text reaches terminals: nothing in it may steer them. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}

/** RFC 4253 section 11.1. */
const REASON = {
  protocolError: 2,
  serviceNotAvailable: 7,
  byApplication: 11,
  tooManyConnections: 12,
  noMoreAuthMethods: 14,
} as const;

/** RFC 4254 section 5.1. */
const OPEN = { prohibited: 1, connectFailed: 2, unknownType: 3, shortage: 4 } as const;

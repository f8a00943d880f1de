import { assertNever, GatewayFault, type FaultCode } from '../../core/fault.ts';
import type { Completion } from '../../core/operation.ts';
import { withNextStep } from './fault.ts';

/** What a client is told of a channel that the gateway refuses or ends: text for stderr, and how the program ended (RFC 4254 section 6.10). */
export interface ChannelRefusal {
  readonly text: string;
  readonly status: number;
}

/** Nothing of the fault's `detail` or `cause` is in it. `terminal`: its lines end in both characters, since nothing at the target adds one. */
export function channelRefusal(fault: GatewayFault, operationId: string | undefined, terminal: boolean): ChannelRefusal {
  const { status, hint } = word(fault.code);
  const operation = operationId === undefined ? '' : ` [operation ${operationId}]`;
  return { status, text: channelLine(`${withNextStep(fault, hint)}${operation}`, terminal) };
}

/** The target was lost while a program ran, which the client is to hear. */
export function lostWhileRunning({ code, publicMessage, detail, cause }: GatewayFault): GatewayFault {
  return new GatewayFault(code, { publicMessage, detail, cause, hint: 'What ran there may or may not have taken effect.' });
}

/** How that ended which a fault ended: where the target is lost, nobody knows what became of what it had been told. */
export function outcomeOfFault(fault: GatewayFault): {
  readonly outcome: Completion['outcome'] & ('failed' | 'unknown');
  readonly errorCode: string;
} {
  const isUnknown = fault.code === 'upstream-unavailable' && !fault.nothingSent;
  return { outcome: isUnknown ? 'unknown' : 'failed', errorCode: fault.code };
}

/** One line of the gateway's own on stderr. */
export function channelLine(text: string, terminal: boolean): string {
  return `sallyport: ${printable(text)}${terminal ? '\r\n' : '\n'}`;
}

interface Wording {
  readonly status: number;
  /** What to do next, where the fault does not say it better. */
  readonly hint: string;
}

/** 126: a shell's own "found, but not executable". 255: what ssh ends with where the connection fails. */
function word(code: FaultCode): Wording {
  switch (code) {
    case 'policy-denied':
      return refused('Policy does not allow this; ask the platform team if it should.');
    case 'approval-denied':
      return refused('A reviewer refused this. Talk to the reviewer before you ask again.');
    case 'approval-expired':
      return refused('Nobody answered in time. Ask again when a reviewer is available.');
    case 'approval-cancelled':
      return refused('Run it again to ask for approval anew.');
    case 'approval-required':
      return refused('Run exactly the same again once it is approved.');
    case 'access-denied':
    case 'target-unknown':
      return refused('Check the target name and ask the platform team for access to it.');
    case 'unclassified':
      return refused('Write it as one command with plain words; a script belongs into a file at the target.');
    case 'unsupported':
      return refused('The gateway does not offer this.');
    case 'masking-refused':
      return refused('Values in it are hidden from you.');
    case 'reason-required':
      return refused('State a reason: ssh -o SetEnv=SALLYPORT_REASON=….');
    case 'read-only':
      return refused('This target is for reading only.');
    case 'limit-exceeded':
      return refused('Ask for less at a time, or have the limit raised.');
    case 'too-many-sessions':
    case 'rate-exceeded':
      return refused('Wait a moment, or have the limit raised.');
    case 'policy-unavailable':
      return refused('Policy could not be evaluated, so nothing is allowed. Tell the platform team.');
    case 'audit-unavailable':
    case 'recording-unavailable':
      return refused('Nothing may take effect that cannot be recorded. Try again in a few seconds.');
    case 'authentication-failed':
    case 'session-ended':
      return ended('Connect again with a fresh token: sallyport connect <target>.');
    case 'shutting-down':
      return ended('Connect again in a few seconds.');
    case 'upstream-unavailable':
      return ended('The target does not answer. Try again in a moment.');
    case 'upstream-refused':
      return ended('Tell the platform team.');
    case 'protocol-violation':
    case 'encryption-required':
      return ended('Use another client, or a current version of it.');
    case 'statement-timeout':
      return ended('What was asked may or may not have taken effect.');
    case 'schema-changed':
      return ended('Ask again.');
    case 'internal':
      return ended('This is a defect of the gateway. Report it with the operation or session id.');
    default:
      return assertNever(code, 'fault code');
  }
}

function refused(hint: string): Wording {
  return { status: 126, hint };
}

function ended(hint: string): Wording {
  return { status: 255, hint };
}

/** Text for a terminal: bounded, on one line, no control characters. */
function printable(text: string): string {
  const cut = text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text;
  return cut.replace(controlCharacters, '\ufffd');
}

// oxlint-disable-next-line no-control-regex -- they are what is looked for
const controlCharacters = /[\u0000-\u001f\u007f-\u009f]/g;
const mostCharacters = 4_096;

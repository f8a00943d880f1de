import { assertNever } from '../../core/fault.ts';
import type { FaultCode, GatewayFault } from '../../core/fault.ts';
import { printable } from '../../core/printable.ts';
import { SyntaxFault } from '../../sql/postgres/syntax-fault.ts';
import { errorResponse, noticeResponse } from './encode.ts';
import { MissingNameFault } from './unknown-name.ts';

/**
 * Where a fault meets the client.
 * `startup`: before the first ReadyForQuery; the connection closes. `operation`: one statement is refused and the session goes on.
 * `end`: the session ends with it.
 */
export type FaultPhase = 'startup' | 'operation' | 'end';

export interface FaultContext {
  readonly phase: FaultPhase;
  /** Named in the text, so that the client's log and the audit log can be brought together. */
  readonly operationId?: string;
  /** Of the target's server, which has its own way of saying some things. */
  readonly majorVersion?: number | undefined;
}

/** The ErrorResponse for a fault. What follows it (ReadyForQuery, close) is the session's business. */
export function faultMessage(fault: GatewayFault, context: FaultContext): Uint8Array {
  return errorResponse(faultFields(fault, context));
}

/**
 * A fault as ErrorResponse fields (manual: "Error and Notice Message Fields"), in the order to send: S, V, C, M always, D and P where
 * they apply, H always. Nothing of `detail` or `cause` is in them. A syntax error is worded as the server would word it, to the letter:
 * it is no refusal, and who asked reads it as what it is. The operation stands in R, which clients show when they are asked for more.
 * The same for a name that does not exist.
 */
export function faultFields(fault: GatewayFault, context: FaultContext): Map<string, string> {
  if (fault instanceof SyntaxFault && context.phase === 'operation') return syntaxErrorFields(fault, context);
  if (fault instanceof MissingNameFault && context.phase === 'operation')
    return ownWords(fault.sqlState, fault.publicMessage, context.operationId);
  const wording = word(fault.code, context.phase);
  const severity = context.phase === 'operation' ? 'ERROR' : 'FATAL';
  const fields = new Map([
    ['S', severity],
    ['V', severity],
    ['C', wording.sqlState],
    ['M', named(printable(fault.publicMessage), context.operationId)],
  ]);
  if (wording.neverSent && context.phase === 'operation') fields.set('D', 'Nothing of this operation reached the target.');
  fields.set('H', printable(fault.hint ?? wording.hint));
  return fields;
}

function syntaxErrorFields(fault: SyntaxFault, { operationId, majorVersion = newest }: FaultContext): Map<string, string> {
  const fields = ownWords(fault.sqlState, fault.syntaxMessage, operationId);
  if (fault.syntaxDetail !== undefined) fields.set('D', fault.syntaxDetail);
  if (fault.syntaxHint !== undefined) fields.set('H', fault.syntaxHint);
  if (fault.position > 0 && majorVersion >= fault.placedSince) fields.set('P', String(fault.position));
  return fields;
}

/** As the server would have said it. */
function ownWords(sqlState: string, message: string, operationId: string | undefined): Map<string, string> {
  return new Map([
    ['S', 'ERROR'],
    ['V', 'ERROR'],
    ['C', sqlState],
    ['M', printable(message)],
    ['F', 'sallyport'],
    ['L', '0'],
    ['R', operationId ?? 'sallyport'],
  ]);
}

/** A NoticeResponse of severity NOTICE, SQLSTATE 00000. */
export function notice(text: string): Uint8Array {
  return noticeResponse(
    new Map([
      ['S', 'NOTICE'],
      ['V', 'NOTICE'],
      ['C', '00000'],
      ['M', printable(text)],
    ]),
  );
}

interface Wording {
  readonly sqlState: string;
  /** What to do next, where the fault does not say it better. */
  readonly hint: string;
  /** The code itself says that the operation was refused before any of it was forwarded. */
  readonly neverSent: boolean;
}

/** SQLSTATEs are those of the manual's appendix "PostgreSQL Error Codes". */
function word(code: FaultCode, phase: FaultPhase): Wording {
  switch (code) {
    case 'authentication-failed':
      return refused('28P01', 'Send a valid OIDC token or gateway token as the password; tokens expire, so fetch a new one.');
    case 'access-denied':
    case 'target-unknown':
      // One wording for both: before sign-in nobody may find out which names exist.
      return refused(phase === 'startup' ? '28000' : '42501', 'Check the target name (dbname) and ask the platform team for access to it.');
    case 'encryption-required':
      return refused('28000', 'Connect with TLS: sslmode=verify-full, or at least sslmode=require.');
    case 'policy-denied':
      return beforeSending('42501', 'Policy does not allow this; ask the platform team if it should.');
    case 'approval-denied':
      return beforeSending('42501', 'A reviewer refused this. Talk to the reviewer before you ask again.');
    case 'approval-expired':
      return beforeSending('42501', 'Nobody answered in time. Run it again when a reviewer is available.');
    case 'approval-required':
      return beforeSending('42501', 'Run exactly the same statement again once it is approved.');
    case 'approval-cancelled':
      return beforeSending('57014', 'Run it again to ask for approval anew.');
    case 'unclassified':
      return beforeSending('42501', 'Write the statement so that its effect can be read from its text.');
    case 'masking-refused':
      return refused('42501', 'Select the sensitive column as it is, without an expression around it, or leave it out.');
    case 'policy-unavailable':
      return beforeSending('42501', 'Policy could not be evaluated, so nothing is allowed. Tell the platform team.');
    case 'protocol-violation':
      return refused('08P01', 'Check the client driver; the connection cannot be used any more.');
    case 'unsupported':
      return refused('0A000', 'The gateway does not offer this feature; use plain statements instead.');
    case 'limit-exceeded':
      return refused('54000', 'Ask for less at a time, or have the limit raised in the gateway’s configuration.');
    case 'too-many-sessions':
      return refused('53300', 'Close a session that is no longer needed, or wait until one ends.');
    case 'rate-exceeded':
      return beforeSending('53400', 'Wait as long as it says, send fewer operations, or have the limit raised.');
    case 'statement-timeout':
      return refused('57014', 'Ask for less in one statement, or have statement_timeout raised in the gateway’s configuration.');
    case 'reason-required':
      return beforeSending('42501', "State a reason: a leading comment /* reason: … */, or SET sallyport.reason = '…'.");
    case 'read-only':
      return beforeSending('25006', 'This target is for reading only.');
    case 'schema-changed':
      // Whoever sees 40001 runs the same once more, which is for what changed nothing.
      return phase === 'end'
        ? refused('08006', 'Connect again; what was running may or may not have taken effect.')
        : refused('40001', 'Run it again.');
    case 'audit-unavailable':
      return refused('53000', 'The audit log cannot be written, so nothing may take effect. Retry in a few seconds.');
    case 'recording-unavailable':
      return refused('53000', 'The session’s recording cannot be written, so nothing may take effect. Retry in a few seconds.');
    case 'upstream-unavailable':
      return refused(phase === 'startup' ? '57P03' : '08006', 'The target does not answer. Connect again in a few seconds.');
    case 'upstream-refused':
      return refused('08004', 'The target refused the gateway itself. Tell the platform team.');
    case 'session-ended':
      return refused('57P01', 'Connect again with a fresh token.');
    case 'shutting-down':
      return refused(phase === 'startup' ? '57P03' : '57P01', 'The gateway is stopping. Connect again in a few seconds.');
    case 'internal':
      return refused('XX000', 'This is a defect of the gateway. Report it with the operation or session id.');
    default:
      return assertNever(code, 'fault code');
  }
}

function refused(sqlState: string, hint: string): Wording {
  return { sqlState, hint, neverSent: false };
}

function beforeSending(sqlState: string, hint: string): Wording {
  return { sqlState, hint, neverSent: true };
}

function named(text: string, operationId: string | undefined): string {
  return operationId === undefined ? text : `${text} (operation ${operationId})`;
}

const newest = Number.POSITIVE_INFINITY;

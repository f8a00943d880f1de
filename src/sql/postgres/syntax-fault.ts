import { GatewayFault } from '../../core/fault.ts';

/**
 * A text that PostgreSQL's grammar does not accept: wrong, or newer than the grammar. The message is the one that the server itself
 * would send, since the grammar is PostgreSQL's own.
 */
export class SyntaxFault extends GatewayFault {
  /** PostgreSQL's message, without the place. */
  readonly syntaxMessage: string;
  /** Where, in characters from 1, as in the `P` field of an ErrorResponse; 0 where the parser did not say. */
  readonly position: number;
  /** Major version of the server from which on this message comes with its place. */
  readonly placedSince: number;
  readonly sqlState: string;
  /** PostgreSQL's detail and hint, where its scanner and grammar give one with this message. */
  readonly syntaxDetail: string | undefined;
  readonly syntaxHint: string | undefined;

  constructor(syntaxMessage: string, position: number, text: string) {
    const placed = position > 0 ? `${syntaxMessage} at character ${position}` : syntaxMessage;
    super('unclassified', {
      publicMessage: placed,
      detail: `syntax error: ${placed}`,
      hint: 'The gateway reads SQL with the grammar of PostgreSQL 18.',
    });
    this.syntaxMessage = syntaxMessage;
    this.position = position;
    const more = known.find(({ message }) => message.test(syntaxMessage));
    this.sqlState = more?.sqlState ?? syntaxError;
    this.placedSince = more?.placedSince ?? 0;
    this.syntaxDetail = more?.detail;
    this.syntaxHint = more?.hint ?? (syntaxMessage === 'invalid Unicode escape' ? escapeHint(text, position) : undefined);
  }
}

/** Which of the two ways of writing it the literal at this place is in. */
function escapeHint(text: string, position: number): string {
  // Positions count characters, as code points.
  const escape = Array.from(text)
    .slice(position - 1, position + 1)
    .join('');
  return /^\\[uU]$/.test(escape) ? 'Unicode escapes must be \\uXXXX or \\UXXXXXXXX.' : 'Unicode escapes must be \\XXXX or \\+XXXXXX.';
}

interface Known {
  readonly message: RegExp;
  readonly sqlState: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly placedSince?: number;
}

const syntaxError = '42601';
const notSupported = '0A000';

/** What is reported with another SQLSTATE than a syntax error, or with a detail or a hint (`scan.l`, `gram.y`, `parser.c`). */
const known: readonly Known[] = [
  { message: /^invalid Unicode escape$/, sqlState: '22025' },
  {
    message: /^unsafe use of \\' in a string literal/,
    sqlState: '22P06',
    hint: "Use '' to write quotes in strings. \\' is insecure in client-only encodings.",
  },
  {
    message: /^UNENCRYPTED PASSWORD is no longer supported/,
    sqlState: notSupported,
    hint: 'Remove UNENCRYPTED to store the password in encrypted form instead.',
  },
  { message: /^LIMIT #,# syntax is not supported/, sqlState: syntaxError, hint: 'Use separate LIMIT and OFFSET clauses.' },
  { message: /^missing argument/, sqlState: syntaxError, hint: 'Use NONE to denote the missing argument of a unary operator.' },
  { message: /^VALUES in FROM must have an alias/, sqlState: syntaxError, hint: 'For example, FROM (VALUES ...) [AS] foo.' },
  { message: /^subquery in FROM must have an alias/, sqlState: syntaxError, hint: 'For example, FROM (SELECT ...) [AS] foo.' },
  {
    message: /^unrecognized row security option/,
    sqlState: syntaxError,
    hint: 'Only PERMISSIVE or RESTRICTIVE policies are supported currently.',
  },
  {
    message: /^invalid publication object list/,
    sqlState: syntaxError,
    detail: 'One of TABLE or TABLES IN SCHEMA must be specified before a standalone table or schema name.',
  },
  { message: /^RECHECK is no longer required/, sqlState: notSupported, hint: 'Update your data type.' },
  { message: /^frame (?:start|end|starting) /, sqlState: '42P20' },
  { message: /^role name ".*" is reserved|cannot be used as a role name here/, sqlState: '42939' },
  { message: /^unrecognized partitioning strategy/, sqlState: '22023', placedSince: 18 },
  {
    message: /^(?:SKIP LOCKED and WITH TIES options cannot be used together|WITH TIES cannot be specified without ORDER BY clause)$/,
    sqlState: syntaxError,
    placedSince: 18,
  },
  { message: /^(?:column number must be in range|precision for type float must be)/, sqlState: '22023' },
  { message: /provided more than once$/, sqlState: '42710' },
  {
    message:
      /not yet implemented|no longer supported|cannot include schema elements|current database cannot be changed|only supported for ON DELETE actions|CREATE OR REPLACE CONSTRAINT TRIGGER|cannot have output arguments|not supported on recursive views|cannot be marked|ordered-set aggregate with a VARIADIC/,
    sqlState: notSupported,
  },
];

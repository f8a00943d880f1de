import { assertNever } from '../../core/fault.ts';
import { maskProse } from '../../masking/text.ts';
import { reachedClasses, relationClasses, type MaskContext, type MaskFacts } from './mask-context.ts';
import { lexSql, type SqlToken } from './mask-lexer.ts';
import { displayValue } from './mask-sample.ts';

export interface RedactedText {
  readonly text: string;
  /** `text` is the statement as it was sent. */
  readonly exact: boolean;
}

/** A bound parameter as Bind carries it. `typeOid` 0: left to the server. */
export interface BoundParameter {
  /** Null: SQL NULL. */
  readonly bytes: Uint8Array | null;
  readonly format: 0 | 1;
  readonly typeOid: number;
}

/**
 * The statement as it may go on record, whoever asked. Every constant and comment is replaced where one could hold a value of a data
 * class (the statement names such a column, writes to such a table, or cannot be seen through) or a credential (passwords of roles,
 * connection strings, keys handed to encryption functions); elsewhere only what the detectors find is masked. Identifiers stay.
 */
export function redactStatement(context: MaskContext, facts: MaskFacts, sql: string): RedactedText {
  return judged(context, facts, sql).redacted;
}

/** Bound parameters as they may go on record, by the same rule, cut to 256 characters. `sql`: the statement that they are bound to. */
export function redactParameters(
  context: MaskContext,
  facts: MaskFacts,
  sql: string,
  parameters: readonly BoundParameter[],
): (string | null)[] {
  const { withheld } = judged(context, facts, sql);
  return parameters.map((parameter) => {
    if (parameter.bytes === null) return null;
    return withheld ? WITHHELD : displayValue(context.record, parameter, parameter.bytes);
  });
}

interface Judged {
  readonly context: MaskContext;
  readonly sql: string;
  readonly withheld: boolean;
  readonly redacted: RedactedText;
}

/** Kept until the same statement is looked at with another text or in another context: a prepared one runs thousands of times. */
function judged(context: MaskContext, facts: MaskFacts, sql: string): Judged {
  const last = LAST.get(facts);
  if (last !== undefined && last.sql === sql && last.context === context) return last;
  const withheld = withholds(context.record, facts, sql);
  const text = maskProse(context.classes, context.record.detectors, withheld ? withoutConstants(sql) : sql);
  const made = { context, sql, withheld, redacted: { text, exact: text === sql } };
  LAST.set(facts, made);
  return made;
}

function withholds(record: MaskContext, facts: MaskFacts, sql: string): boolean {
  if (record.hidden.length > 0) {
    let known = HOLDS_VALUES.get(facts);
    if (known?.record !== record) HOLDS_VALUES.set(facts, (known = { record, holds: holdsValues(record, facts) }));
    if (known.holds) return true;
  }
  return holdsCredential(sql);
}

function holdsValues(record: MaskContext, facts: MaskFacts): boolean {
  return reachedClasses(record, facts).length > 0 || facts.written.some((relation) => relationClasses(record, relation).length > 0);
}

/**
 * One look at the whole text first, so that a plain statement costs no lexing. The words may stand anywhere in it: to withhold a constant
 * too many costs the record a detail (the digest of the exact bytes stays), to keep one too many costs a secret.
 */
function holdsCredential(sql: string): boolean {
  return CREDENTIAL.test(sql) || (DEFINES_SERVER.test(sql) && OPTIONS.test(sql)) || SPELLED_OTHERWISE.test(sql);
}

function withoutConstants(sql: string): string {
  return lexSql(sql)
    .map((token) => shown(sql, token))
    .join('');
}

function shown(sql: string, token: SqlToken): string {
  switch (token.kind) {
    case 'string':
      return `'${WITHHELD}'`;
    case 'number':
    case 'doubt':
      return WITHHELD;
    case 'comment':
      return sql[token.start] === '-' ? `--${WITHHELD}` : `/*${WITHHELD}*/`;
    case 'word':
    case 'parameter':
    case 'other':
      return sql.slice(token.start, token.end);
    default:
      return assertNever(token.kind, 'token');
  }
}

const WITHHELD = '…';
const LAST = new WeakMap<MaskFacts, Judged>();
/** The last answer for each statement's facts, which live as long as its understanding. */
const HOLDS_VALUES = new WeakMap<MaskFacts, { readonly record: MaskContext; readonly holds: boolean }>();
/** Words of statements, settings, functions and connection strings that carry secrets; no repetition, so a single pass. */
const CREDENTIAL =
  /passw|passphrase|secret|token|credential|conninfo|api_?key|access_?key|private_?key|dblink|pgp_|crypt|hmac|:\/\/[^\s/@]{0,256}@/i;
const DEFINES_SERVER = /\b(?:server|mapping|wrapper|subscription)\b/i;
const OPTIONS = /options|connection/i;
/** Key words cannot be spelled with escapes, but quoted identifiers (names of settings and functions) can. */
const SPELLED_OTHERWISE = /u&"/i;

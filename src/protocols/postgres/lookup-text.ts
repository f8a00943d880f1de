import { GatewayFault } from '../../core/fault.ts';
import type { DataClasses } from '../../masking/classes.ts';
import type { LookupConstant } from '../../sql/lineage.ts';
import * as encode from './encode.ts';
import { bindValues } from './lookup-bind.ts';
import { parametersOf, refused, type LookupParameters } from './lookup.ts';
import { lexSql } from './mask-lexer.ts';
import type { Bind } from './messages.ts';

/**
 * What goes to the target in place of a Query in whose text pseudonyms stand: the same statement with a parameter in each one's place, the
 * values bound to them, and a Sync. Constants are padded to their length, so that the places in error messages stay. Its answers are a
 * Query's but for ParseComplete, BindComplete, NoData and CloseComplete. Or why it cannot be.
 */
export function boundQuery(sql: string, lookups: LookupParameters, classes: DataClasses): readonly Uint8Array[] | GatewayFault {
  const rewritten = withParameters(sql, lookups);
  if (rewritten === undefined)
    return refused(
      lookups.constants,
      'by this text',
      "Write the pseudonym as a plain constant ('…'), or pass it as a bound parameter ($1).",
    );
  const { text, values, parameters } = rewritten;
  const message: Bind = { kind: 'Bind', portal: '', statement: '', parameterFormats: [], parameters: values, resultFormats: [] };
  const bound = bindValues(message, [], parameters, classes, () => 'a constant');
  if (bound instanceof GatewayFault) return bound;
  return [
    encode.parse({ name: '', query: text, parameterTypes: [] }),
    bound,
    encode.describe('P', ''),
    encode.execute('', 0),
    // As the server does with an unnamed statement and portal at a Query.
    encode.close('P', ''),
    encode.close('S', ''),
    encode.emptyClientMessage('Sync'),
  ];
}

interface Rewritten {
  readonly text: string;
  readonly values: readonly Uint8Array[];
  readonly parameters: LookupParameters;
}

/** Undefined where it is not certain that the rewritten text is the same statement, and that nothing else in it reaches the parameters. */
function withParameters(sql: string, lookups: LookupParameters): Rewritten | undefined {
  const found = lookups.trace(sql);
  if (found === undefined || found.parameters.size > 0) return undefined;
  // Nothing stands for nothing: `where ssn <> \'\'` stays as it is.
  const constants = found.constants.filter(({ value }) => value !== '').sort((a, b) => a.offset - b.offset);
  const text = replaced(sql, constants);
  const traced = text === undefined ? undefined : lookups.trace(text);
  if (text === undefined || traced === undefined || traced.parameters.size !== constants.length) return undefined;
  if (traced.constants.some(({ value }) => value !== '')) return undefined;
  for (const [index, constant] of constants.entries()) {
    const parameter = traced.parameters.get(index + 1);
    if (parameter?.usedOtherwise !== false || parameter.classes.join() !== constant.class) return undefined;
  }
  const parameters = parametersOf(traced, lookups.constants, (other) => lookups.trace(other));
  if (parameters instanceof GatewayFault) return undefined;
  return { text, values: constants.map(({ value }) => encoder.encode(value)), parameters };
}

/**
 * Undefined where one of them is no constant in plain quotes, or a type stands before it (`text '…'`), in front of which the server's grammar
 * has no parameter.
 */
function replaced(sql: string, constants: readonly LookupConstant[]): string | undefined {
  const tokens = new Map<number, { readonly start: number; readonly end: number }>();
  let bytes = 0;
  let before = '';
  for (const { kind, start, end } of lexSql(sql)) {
    const written = sql.slice(start, end);
    if (kind === 'string' && mayPrecede.test(before)) tokens.set(bytes, { start, end });
    bytes += encoder.encode(written).length;
    if (kind !== 'comment' && written.trim() !== '') before = written;
  }
  let text = '';
  let copied = 0;
  for (const [index, { offset, value }] of constants.entries()) {
    const token = tokens.get(offset);
    if (token === undefined) return undefined;
    const literal = sql.slice(token.start, token.end);
    const parameter = `$${index + 1}`;
    if (literal !== `'${value.replaceAll("'", "''")}'` || literal.length < parameter.length || token.start < copied) return undefined;
    // Characters as the server counts them.
    text += sql.slice(copied, token.start) + parameter + ' '.repeat(Array.from(literal).length - parameter.length);
    copied = token.end;
  }
  return text + sql.slice(copied);
}

/** The last character of an operator, what separates, or a key word. */
const mayPrecede = /^(?:[=>(,[]|where|and|or|not|on|when|then|else|select|from|having|by|case)$/i;
const encoder = new TextEncoder();

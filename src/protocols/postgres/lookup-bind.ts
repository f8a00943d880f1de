import { GatewayFault } from '../../core/fault.ts';
import type { DataClasses } from '../../masking/classes.ts';
import * as encode from './encode.ts';
import { refused, type LookupParameters, type ReplacedParameter } from './lookup.ts';
import type { Bind, Format } from './messages.ts';

/**
 * The Bind that goes to the target in place of the client's: each pseudonym replaced by its value, everything else as it came. Or why it
 * cannot be. `parameterTypes`: oids as Parse gave them, 0 or absent where it left them to the server.
 */
export function bindValues(
  message: Bind,
  parameterTypes: readonly number[],
  { byNumber }: LookupParameters,
  classes: DataClasses,
): Uint8Array | GatewayFault {
  const parameters: (Uint8Array | null)[] = [];
  for (const [index, bytes] of message.parameters.entries()) {
    const replaced = byNumber.get(index + 1);
    const value =
      replaced === undefined || bytes === null ? bytes : valueIn(bytes, index, message, parameterTypes[index] ?? 0, replaced, classes);
    if (value instanceof GatewayFault) return value;
    parameters.push(value);
  }
  return encode.bind({ ...message, parameters });
}

function valueIn(
  bytes: Uint8Array,
  index: number,
  { parameterFormats }: Bind,
  typeOid: number,
  replaced: ReplacedParameter,
  classes: DataClasses,
): Uint8Array | GatewayFault {
  const { form } = replaced;
  const types = form === 'one' ? textTypes : arrayTypes;
  const format: Format = (parameterFormats.length === 1 ? parameterFormats[0] : parameterFormats[index]) ?? 0;
  const fails = (how: string, hint: string): GatewayFault => refused([replaced.class], `by $${index + 1}, ${how}`, hint);
  if (!types.has(typeOid))
    return fails('which is of another type', `Declare it as ${form === 'one' ? 'text' : 'text[]'}, or leave its type open.`);
  try {
    const look = (pseudonym: string): string => valueOf(pseudonym, replaced, classes);
    if (form === 'one') return encoder.encode(look(decode(bytes)));
    return format === 0 ? encoder.encode(textArray(decode(bytes), look)) : binaryArray(bytes, look);
  } catch (error) {
    if (error === noWayBack)
      return fails(
        'which is no pseudonym that can be turned back',
        'Pass it as it was shown: ASCII letters and digits, of a form that a million values can have.',
      );
    if (error === unreadable) return fails('which cannot be read', 'Pass text in UTF-8, or an array of one dimension.');
    throw error;
  }
}

/** Nothing is shown as nothing. Throws `noWayBack`. */
function valueOf(pseudonym: string, { class: name, padded }: ReplacedParameter, classes: DataClasses): string {
  const shown = padded ? pseudonym.trimEnd() : pseudonym;
  if (shown === '') return pseudonym;
  const value = classes.lookUp(name, shown);
  if (value === undefined) throw noWayBack;
  return value;
}

// ---- arrays

/** The text form of an array (PostgreSQL documentation, "Array Input and Output Syntax"), of one dimension and without bounds. */
function textArray(literal: string, look: (text: string) => string): string {
  const body = /^[ \t\n\r\v\f]*\{([^]*)\}[ \t\n\r\v\f]*$/.exec(literal)?.[1];
  if (body === undefined) throw unreadable;
  if (/^[ \t\n\r\v\f]*$/.test(body)) return '{}';
  const items: string[] = [];
  let at = 0;
  for (;;) {
    element.lastIndex = at;
    const found = element.exec(body);
    if (found === null) throw unreadable;
    const [, quoted, bare] = found;
    if (quoted === undefined && bare!.toLowerCase() === 'null') items.push('NULL');
    else items.push(`"${look((quoted ?? bare!).replaceAll(/\\([^])/g, '$1')).replaceAll(/["\\]/g, '\\$&')}"`);
    at = element.lastIndex;
    if (at === body.length) return `{${items.join(',')}}`;
    at += 1;
  }
}

/** What `array_send` writes: dimensions, flags, element type; size and lower bound of each dimension; elements behind their lengths. */
function binaryArray(bytes: Uint8Array, look: (text: string) => string): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12) throw unreadable;
  const dimensions = view.getInt32(0);
  if (!textTypes.has(view.getInt32(8))) throw unreadable;
  if (dimensions === 0 && bytes.length === 12) return bytes;
  if (dimensions !== 1 || bytes.length < 20) throw unreadable;
  const parts = [bytes.subarray(0, 20)];
  let at = 20;
  for (let left = view.getInt32(12); left > 0; left -= 1) {
    if (at + 4 > bytes.length) throw unreadable;
    const length = view.getInt32(at);
    at += 4;
    if (length === -1) {
      parts.push(bytes.subarray(at - 4, at));
      continue;
    }
    if (length < 0 || at + length > bytes.length) throw unreadable;
    const value = encoder.encode(look(decode(bytes.subarray(at, at + length))));
    const size = new Uint8Array(4);
    new DataView(size.buffer).setInt32(0, value.length);
    parts.push(size, value);
    at += length;
  }
  if (at !== bytes.length) throw unreadable;
  const all = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let end = 0;
  for (const part of parts) {
    all.set(part, end);
    end += part.length;
  }
  return all;
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw unreadable;
  }
}

/** Thrown here and caught here. */
const noWayBack = new Error('no way back');
const unreadable = new Error('unreadable');
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** `"…"`, or what stands there without quotes; blanks around it do not count. Anchored where the last one ended, before a comma or the end. */
const element =
  /[ \t\n\r\v\f]*(?:"((?:[^"\\]|\\[^])*)"|((?:[^"\\{},\s]|\\[^])(?:(?:[^"\\{},]|\\[^])*(?:[^"\\{},\s]|\\[^]))?))[ \t\n\r\v\f]*(?=,|$)/y;
/** unknown or not given, `text`, `varchar`, `bpchar`; and arrays of these. */
const textTypes: ReadonlySet<number> = new Set([0, 705, 25, 1043, 1042]);
const arrayTypes: ReadonlySet<number> = new Set([0, 705, 1009, 1015, 1014]);

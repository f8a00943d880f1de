import { concatenated } from '../../core/bytes.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { DataClasses } from '../../masking/classes.ts';
import * as encode from './encode.ts';
import { refused, type LookupParameters, type ReplacedParameter } from './lookup.ts';
import type { Bind, Format } from './messages.ts';

/**
 * The Bind that goes to the target in place of the client's: each pseudonym replaced by its value, everything else as it came. Or why it
 * cannot be. `parameterTypes`: oids as Parse gave them, 0 or absent where it left them to the server. `called`: a parameter in a refusal.
 */
export function bindValues(
  message: Bind,
  parameterTypes: readonly number[],
  { byNumber }: LookupParameters,
  classes: DataClasses,
  called = (index: number): string => `$${index + 1}`,
): Uint8Array | GatewayFault {
  const parameters: (Uint8Array | null)[] = [];
  let left = mostWork;
  const lookUp: LookUp = (name, pseudonym) => {
    left -= pseudonym.length + workOfOne;
    if (left < 0) throw tooMuch;
    return classes.lookUp(name, pseudonym);
  };
  for (const [index, bytes] of message.parameters.entries()) {
    const replaced = byNumber.get(index + 1);
    if (replaced === undefined || bytes === null) {
      parameters.push(bytes);
      continue;
    }
    const { parameterFormats: formats } = message;
    const format = (formats.length === 1 ? formats[0] : formats[index]) ?? 0;
    const value = valueIn(bytes, format, parameterTypes[index] ?? 0, replaced, lookUp, called(index));
    if (value instanceof GatewayFault) return value;
    parameters.push(value);
  }
  return encode.bind({ ...message, parameters });
}

type LookUp = (className: string, pseudonym: string) => string | undefined;

function valueIn(
  bytes: Uint8Array,
  format: Format,
  typeOid: number,
  replaced: ReplacedParameter,
  lookUp: LookUp,
  called: string,
): Uint8Array | GatewayFault {
  const { form } = replaced;
  const types = form === 'one' ? textTypes : arrayTypes;
  const fails = (how: string, hint: string): GatewayFault => refused([replaced.class], `by ${called}, ${how}`, hint);
  if (!types.has(typeOid))
    return fails('which is of another type', `Declare it as ${form === 'one' ? 'text' : 'text[]'}, or leave its type open.`);
  try {
    const look = (pseudonym: string): string => valueOf(pseudonym, replaced, lookUp);
    if (form === 'one') return encoder.encode(look(decode(bytes)));
    return format === 0 ? encoder.encode(textArray(decode(bytes), look)) : binaryArray(bytes, look);
  } catch (error) {
    if (error === noWayBack)
      return fails(
        'which is no pseudonym that can be turned back',
        'Pass it as it was shown: ASCII letters and digits, of a form that a million values can have.',
      );
    if (error === tooMuch) return fails('which is one of too many', 'Look up at most 4,000 values of 16 characters at once.');
    if (error === unreadable) return fails('which cannot be read', 'Pass text in UTF-8, or an array of one dimension.');
    throw error;
  }
}

/** Nothing is shown as nothing. Throws `noWayBack`. */
function valueOf(pseudonym: string, { class: name, padded }: ReplacedParameter, lookUp: LookUp): string {
  const shown = padded ? pseudonym.trimEnd() : pseudonym;
  if (shown === '') return pseudonym;
  const value = lookUp(name, shown);
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
  return concatenated(parts);
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
const tooMuch = new Error('too much');
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** `"…"`, or what stands there without quotes; blanks around it do not count. Anchored where the last one ended, before a comma or the end. */
const element =
  /[ \t\n\r\v\f]*(?:"((?:[^"\\]|\\[^])*)"|((?:[^"\\{},\s]|\\[^])(?:(?:[^"\\{},]|\\[^])*(?:[^"\\{},\s]|\\[^]))?))[ \t\n\r\v\f]*(?=,|$)/y;
/**
 * Of one Bind, in characters and so many more for each value: a tenth of a second, in which no other session is served. Turning one back takes
 * ten digests or more (28 µs for ten digits).
 */
const mostWork = 128 * 1024;
const workOfOne = 16;
/** unknown or not given, `text`, `varchar`, `bpchar`; and arrays of these. */
const textTypes: ReadonlySet<number> = new Set([0, 705, 25, 1043, 1042]);
const arrayTypes: ReadonlySet<number> = new Set([0, 705, 1009, 1015, 1014]);

import { GatewayFault } from '../../core/fault.ts';
import { fieldName, type FieldName } from './head-names.ts';

export interface HeaderField {
  /** Lower case. */
  readonly name: string;
  readonly value: string;
}

/** Bounds of a head. */
export const headBounds = {
  /** Fields, without the pseudo-header fields of HTTP/2. */
  fields: 100,
  /** Octets of all names and values. */
  octets: 32_768,
} as const;

/**
 * Names and values in turn, as a list of fields in the same order: never an object, in which `__proto__` would be lost and others joined. Faults:
 *
 * - `protocol-violation`: a name that is no token (RFC 9110 section 5.1); a value with anything but visible ASCII and single spaces and tabs inside of it. So there
 *   is no CR, LF or NUL, no folded line, and no octet from 0x80, which some servers take for a line's end (0x85) and others for Latin-1 or UTF-8.
 * - `protocol-violation`: what may stand there once is there twice, or in a spelling of its own (`Content_Length`); two spellings of one name.
 * - `limit-exceeded`: `headBounds`.
 */
export function readFields(rawHeaders: readonly string[]): readonly HeaderField[] {
  if (rawHeaders.length % 2 !== 0) throw violation('a field has no value');
  if (rawHeaders.length / 2 > headBounds.fields) throw overBound(headBounds.fields, 'fields');
  const fields: HeaderField[] = [];
  const names: FieldName[] = [];
  let octets = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const sent = rawHeaders[at]!;
    const value = rawHeaders[at + 1]!;
    octets += sent.length + value.length;
    if (octets > headBounds.octets) throw overBound(headBounds.octets, 'octets');
    const known = fieldName(sent);
    if (known === undefined) throw violation('the name of a field is not a token');
    if (!isFieldValue(value)) throw violation('the value of a field has a character that may not be there');
    names.push(known);
    fields.push({ name: known.name, value });
  }
  refuseTwins(names);
  return fields;
}

/** The members of a comma-separated list (RFC 9110 section 5.6.1), in lower case, over all fields of this name. Empty members are none. */
export function listOf(fields: readonly HeaderField[], name: string): readonly string[] {
  let members: string[] | undefined;
  for (const field of fields) {
    if (field.name !== name) continue;
    members ??= [];
    if (!field.value.includes(',')) members.push(field.value.trim().toLowerCase());
    else for (const member of field.value.split(',')) members.push(member.trim().toLowerCase());
  }
  return members?.filter((member) => member !== '') ?? none;
}

export function violation(problem: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `the head of the request is not accepted: ${problem}` });
}

function refuseTwins(names: readonly FieldName[]): void {
  const spellings = new Map<string, string>();
  for (const { name, spelled, isSingleton } of names) {
    const before = spellings.get(spelled);
    if (isSingleton) {
      if (name !== spelled) throw violation(`a field is spelled almost like ${spelled}`);
      if (before !== undefined) throw violation(`${spelled} is given twice`);
    } else if (before !== undefined && before !== name) {
      throw violation('two fields have names that are one to some servers');
    }
    spellings.set(spelled, name);
  }
}

/** Empty, or visible at both ends. */
function isFieldValue(value: string): boolean {
  for (let at = 0; at < value.length; at += 1) {
    const code = value.charCodeAt(at);
    if (code > 0x20 && code < 0x7f) continue;
    const inside = (code === 0x20 || code === 0x09) && at > 0 && at < value.length - 1;
    if (!inside) return false;
  }
  return true;
}

function overBound(bound: number, unit: string): GatewayFault {
  return new GatewayFault('limit-exceeded', { publicMessage: `the head of the request has more than ${bound} ${unit}` });
}

const none: readonly string[] = [];

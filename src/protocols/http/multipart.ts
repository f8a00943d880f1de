import type { HeaderField } from '../request.ts';

/** One part of a multipart body (RFC 2046 section 5.1, RFC 7578). Offsets are those of its content in the body. */
export interface Part {
  /** Names in lower case. */
  readonly fields: readonly HeaderField[];
  readonly start: number;
  readonly end: number;
}

/** The parameter `boundary` of a Content-Type; undefined where there is none, more than one, or one that RFC 2046 does not allow. */
export function boundaryOf(fields: readonly HeaderField[]): string | undefined {
  const values = fields.filter(({ name }) => name === 'content-type').map(({ value }) => value);
  const found = [
    ...(values.length === 1 ? values[0]! : '').matchAll(/;\s*boundary\s*=\s*(?:"([^"\\]{1,70})"|([^\s;"]{1,70}))\s*(?=;|$)/gi),
  ];
  const boundary = found.length === 1 ? (found[0]![1] ?? found[0]![2]) : undefined;
  return boundary !== undefined && /^[\w'()+,./:=? -]*[\w'()+,./:=?-]$/.test(boundary) ? boundary : undefined;
}

/**
 * The parts of a whole body, read as strictly as every reader would have to agree on: it begins with the first delimiter and ends with the last one, lines end with CRLF, no
 * part repeats a field. Undefined for anything else.
 */
export function partsOf(body: Uint8Array, boundary: string): readonly Part[] | undefined {
  const text = latin1(body);
  const delimiter = `--${boundary}`;
  const parts: Part[] = [];
  if (!text.startsWith(`${delimiter}\r\n`)) return undefined;
  for (let at = delimiter.length + 2; ;) {
    const head = text.indexOf('\r\n\r\n', at - 2);
    const end = text.indexOf(`\r\n${delimiter}`, Math.max(at - 2, head + 2));
    if (head < 0 || end < head || head - at > maxHeadBytes || parts.length >= maxParts) return undefined;
    const fields = fieldsOf(text.slice(at, Math.max(at, head)));
    if (fields === undefined || end < head + 4) return undefined;
    parts.push({ fields, start: head + 4, end });
    at = end + 2 + delimiter.length;
    if (text.startsWith('--', at)) return /^--(?:\r\n)?$/.test(text.slice(at)) ? parts : undefined;
    if (!text.startsWith('\r\n', at)) return undefined;
    at += 2;
  }
}

function fieldsOf(head: string): readonly HeaderField[] | undefined {
  if (head === '') return [];
  const fields: HeaderField[] = [];
  for (const line of head.split('\r\n')) {
    const [, name = '', value = ''] = /^([A-Za-z][A-Za-z0-9-]*):[ \t]*([^\r\n\0]*)$/.exec(line) ?? [];
    if (name === '' || fields.some((other) => other.name === name.toLowerCase())) return undefined;
    fields.push({ name: name.toLowerCase(), value: value.trim() });
  }
  return fields;
}

/** What a part of a form is called, and whether it is a file. Undefined where readers could disagree: no name, two, or one of RFC 5987's. */
export function formPart({ fields }: Part): { readonly name: string; readonly isFile: boolean } | undefined {
  const disposition = fields.find(({ name }) => name === 'content-disposition')?.value ?? '';
  if (fields.some(({ name }) => name === 'content-transfer-encoding')) return undefined;
  const match = /^form-data((?:\s*;\s*[a-z*-]+\s*=\s*(?:"[^"\\]*"|[^\s;"]+))+)$/i.exec(disposition);
  if (match === null) return undefined;
  const parameters = [...match[1]!.matchAll(/;\s*([a-z*-]+)\s*=\s*(?:"([^"\\]*)"|([^\s;"]+))/gi)];
  const names = parameters.filter(([, key = '']) => /^name\*?$/i.test(key));
  if (names.length !== 1 || names[0]![1]!.includes('*')) return undefined;
  const name = utf8(names[0]![2] ?? names[0]![3] ?? '');
  return name === undefined ? undefined : { name, isFile: parameters.some(([, key = '']) => /^filename\*?$/i.test(key)) };
}

/** Every name that some reader could find in a multipart body, however it is broken: one too many does no harm. */
export function possibleNames(body: Uint8Array): readonly string[] {
  return [...lenient.decode(body).matchAll(/\bname\*?\s*=\s*(?:[\w-]{0,32}'[\w-]{0,32}')?"?([^";\r\n]{1,64})/gi)].map(([, name = '']) =>
    name.trim(),
  );
}

/** A character for each octet, so that places in it are those of the body. */
function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8_192) text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  return text;
}

function utf8(octets: string): string | undefined {
  try {
    return strict.decode(Uint8Array.from(octets, (character) => character.charCodeAt(0)));
  } catch {
    return undefined;
  }
}

const lenient = new TextDecoder();
const strict = new TextDecoder('utf-8', { fatal: true });
const maxParts = 256;
const maxHeadBytes = 8_192;

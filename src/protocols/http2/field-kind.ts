import { isFieldContent } from '../http/field-lines.ts';

/** What a field of an answer may be there for. */
export type FieldKind = 'status' | 'content-length' | 'plain' | 'malformed';

/**
 * Tells it once for each field that a server spells out. Malformed by RFC 9113 section 8.2: a name that is none or has capitals, a value with line breaks, NUL or space around it, a field of one connection;
 * and by section 8.3.2: a pseudo-header field that is not `:status`.
 */
export function fieldKind(name: string, value: string): FieldKind {
  if (name === ':status') return /^[1-5]\d\d$/.test(value) ? 'status' : 'malformed';
  if (!isFieldName(name) || !isFieldValue(value) || isOfConnection(name, value)) return 'malformed';
  if (name !== 'content-length') return 'plain';
  return /^\d{1,15}$/.test(value) ? 'content-length' : 'malformed';
}

/** In lower case. */
export function isFieldName(name: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name);
}

export function isFieldValue(value: string): boolean {
  return isFieldContent(value) && !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(value.length - 1));
}

/** Section 8.2.2. */
export function isOfConnection(name: string, value: string): boolean {
  return ofConnection.has(name) || (name === 'te' && value !== 'trailers');
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

const ofConnection: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

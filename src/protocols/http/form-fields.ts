import { decodesTwice } from './escapes.ts';
import { mayBeOneParameter, parameterParts } from './fact-names.ts';
import { formPart, partsOf } from './multipart.ts';

/** A field of a form that was sent, decoded. */
export interface FormField {
  readonly name: string;
  /** What `name` is made of for servers that read it most freely. */
  readonly parts: readonly string[];
  /** Undefined: a file. */
  readonly value: string | undefined;
}

/** Of `application/x-www-form-urlencoded` (WHATWG URL, section 5.1). Else why they cannot be told. */
export function formFields(text: string): readonly FormField[] | string {
  const fields: FormField[] = [];
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const [spelled = '', ...rest] = pair.split('=');
    const [name, value] = [unescaped(spelled), unescaped(rest.join('='))];
    if (name === undefined || value === undefined) return 'it has escapes that cannot be decoded';
    if (fields.length >= mostFields) return `it has more than ${mostFields} fields`;
    fields.push({ name, parts: parameterParts(name), value });
  }
  return fields;
}

/** Of `multipart/form-data` (RFC 7578). */
export function multipartFields(bytes: Uint8Array, boundary: string | undefined): readonly FormField[] | string {
  const parts = boundary === undefined ? undefined : partsOf(bytes, boundary);
  if (parts === undefined) return 'its parts cannot be told with certainty';
  const fields: FormField[] = [];
  for (const part of parts) {
    const form = formPart(part);
    if (form === undefined) return 'the name of one of its parts cannot be told with certainty';
    const value = form.isFile ? undefined : utf8(bytes.subarray(part.start, part.end));
    if (value === undefined && !form.isFile) return 'a field of it is no UTF-8';
    fields.push({ name: form.name, parts: parameterParts(form.name), value });
  }
  return fields;
}

/**
 * Why policy cannot be told what a server takes for this field: some take the first of two, some the last; some take `Currency` or `currency[]` for `currency`, some a file's content
 * for a field's, and some decode twice. Undefined: it can.
 */
export function whyUncertain(field: string, mayBeSeveral: boolean, fields: readonly FormField[]): string | undefined {
  const own = parameterParts(field);
  const meant = fields.filter(({ parts }) => mayBeOneParameter(own, parts));
  if (meant.some(({ name }) => name !== field)) return `a field has almost the name ${field}`;
  if (meant.some(({ value }) => value === undefined)) return `${field} is a file`;
  if (meant.some(({ value }) => decodesTwice(value!))) return `the value of ${field} has an escape of an escape`;
  return meant.length > 1 && !mayBeSeveral ? `${field} is given twice` : undefined;
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });
const mostFields = 1_000;

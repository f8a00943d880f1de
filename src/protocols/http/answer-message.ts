import { readFieldLines } from './field-lines.ts';
import type { HeaderField } from './head-fields.ts';
import { fieldName } from './head-names.ts';
import type { MessageBody } from './message-body.ts';

/** The head of an HTTP/1.1 answer, as it stood on the connection. */
export interface AnswerMessage {
  readonly status: number;
  /** Names in lower case, in their order. */
  readonly fields: readonly HeaderField[];
  readonly body: MessageBody;
  /** Another request may go out on the connection when all of this has come. */
  readonly persists: boolean;
}

/**
 * Reads the head of an answer to a request of this method (RFC 9112 section 4), without the empty line behind it. Undefined for what is malformed, or could be read in two
 * ways: several lengths, a length and a coding, another coding than chunked.
 */
export function readAnswerMessage(text: string, method: string): AnswerMessage | undefined {
  const lineEnd = text.indexOf('\r\n');
  const line = STATUS_LINE.exec(lineEnd < 0 ? text : text.slice(0, lineEnd));
  const raw = lineEnd < 0 ? [] : readFieldLines(text, lineEnd + 2);
  if (line === null || raw === undefined) return undefined;
  const status = Number(line[2]);
  const fields = fieldsOf(raw);
  const body = bodyOf(fields, status, method, line[1] === '1');
  if (body === undefined) return undefined;
  const persists = line[1] === '1' && body.kind !== 'until-close' && !fields.some(closes);
  return { status, fields, body, persists };
}

/** Names and values in turn. */
export function fieldsOf(raw: readonly string[]): readonly HeaderField[] {
  const fields: HeaderField[] = [];
  for (let at = 0; at < raw.length; at += 2)
    fields.push({ name: fieldName(raw[at]!)?.name ?? raw[at]!.toLowerCase(), value: raw[at + 1]! });
  return fields;
}

/** RFC 9112 section 6.3. */
function bodyOf(fields: readonly HeaderField[], status: number, method: string, isCurrent: boolean): MessageBody | undefined {
  let coding: string | undefined;
  let length: string | undefined;
  for (const { name, value } of fields) {
    if (name === 'transfer-encoding') {
      if (coding !== undefined) return undefined;
      coding = value.toLowerCase();
    } else if (name === 'content-length') {
      if (length !== undefined) return undefined;
      length = value;
    }
  }
  if (coding !== undefined && (length !== undefined || coding !== 'chunked' || !isCurrent)) return undefined;
  if (length !== undefined && !LENGTH.test(length)) return undefined;
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return { kind: 'none' };
  if (coding !== undefined) return { kind: 'chunked' };
  return length === undefined ? { kind: 'until-close' } : { kind: 'length', octets: Number(length) };
}

function closes({ name, value }: HeaderField): boolean {
  return name === 'connection' && value !== 'keep-alive' && value.split(',').some((option) => option.trim().toLowerCase() === 'close');
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/** As many digits as a number holds exactly. */
const LENGTH = /^\d{1,15}$/;

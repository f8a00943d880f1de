import { createHash } from 'node:crypto';
import { eventSchema, headerSchema, type RecordingEvent, type RecordingHeader } from './format.ts';

/** One line of a recording as it was understood, and at the end what the whole was. */
export type TimelineItem =
  | { readonly kind: 'header'; readonly header: RecordingHeader }
  | { readonly kind: 'event'; readonly event: RecordingEvent }
  /** A line that no gateway wrote like this. `line` from 1. */
  | { readonly kind: 'damaged'; readonly line: number; readonly reason: string }
  | {
      readonly kind: 'end';
      readonly sha256: string;
      readonly bytes: number;
      /** The last line says that the session ended: nothing is missing behind it. */
      readonly closed: boolean;
    };

/**
 * Reads a recording from its stored bytes, however they are cut. Trusts nothing: what is not a header or an event is reported as
 * damaged, and reading goes on. Memory is bounded by the longest line that is accepted (16 MiB).
 */
export async function* readTimeline(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TimelineItem> {
  const hash = createHash('sha256');
  let bytes = 0;
  let line = 0;
  let closed = false;
  for await (const item of splitLines(chunks, (chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
  })) {
    line++;
    const understood = understand(item, line);
    closed = understood.kind === 'event' && (understood.event.event === 'closed' || understood.event.event === 'recovered');
    yield understood;
  }
  yield { kind: 'end', sha256: hash.digest('hex'), bytes, closed };
}

/** SHA-256 (lower-case hex) and length of stored bytes. */
export async function digestOf(chunks: AsyncIterable<Uint8Array>): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

/** Undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function understand(line: Line, number: number): TimelineItem {
  if (!line.whole) return { kind: 'damaged', line: number, reason: line.reason };
  const value = parseJson(line.text);
  if (value === undefined) return { kind: 'damaged', line: number, reason: 'not JSON' };
  if (number === 1) {
    const header = headerSchema.safeParse(value);
    return header.success
      ? { kind: 'header', header: header.data }
      : { kind: 'damaged', line: number, reason: 'not a header of a recording' };
  }
  const event = eventSchema.safeParse(value);
  return event.success ? { kind: 'event', event: event.data } : { kind: 'damaged', line: number, reason: 'not an event of a recording' };
}

type Line = { readonly whole: true; readonly text: string } | { readonly whole: false; readonly reason: string };

async function* splitLines(chunks: AsyncIterable<Uint8Array>, see: (chunk: Uint8Array) => void): AsyncGenerator<Line> {
  let parts: Uint8Array[] = [];
  let length = 0;
  let tooLong = false;
  for await (const chunk of chunks) {
    see(chunk);
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      yield lineOf(parts, chunk.subarray(start, end), tooLong || length + end - start > maxLineBytes);
      parts = [];
      length = 0;
      tooLong = false;
      start = end + 1;
    }
    const rest = chunk.subarray(start);
    tooLong ||= length + rest.length > maxLineBytes;
    length += rest.length;
    if (tooLong) parts = [];
    else if (rest.length > 0) parts.push(rest);
  }
  if (length > 0) yield { whole: false, reason: 'the line is cut off' };
}

function lineOf(parts: readonly Uint8Array[], last: Uint8Array, tooLong: boolean): Line {
  if (tooLong) return { whole: false, reason: `longer than ${maxLineBytes} bytes` };
  return { whole: true, text: Buffer.concat([...parts, last]).toString() };
}

const lineFeed = 0x0a;
const maxLineBytes = 16 * 1024 * 1024;

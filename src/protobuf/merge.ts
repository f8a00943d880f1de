import { concatenated } from '../core/bytes.ts';
import { isWiredAs } from './scalar.ts';
import type { Field, MessageType } from './schema.ts';
import { Cursor, encodedTag, encodedVarint, END_GROUP, LENGTH_DELIMITED, MalformedMessage, START_GROUP } from './wire.ts';

/**
 * The message with each of its singular messages in one piece, where one that an Any is in came in several: decoders merge such parts, which is what
 * their concatenation means (https://protobuf.dev/programming-guides/encoding#last-one-wins), and an Any whose type comes from one part and whose
 * bytes come from another is neither of the two. A part that another member of its oneof came after is left out, since decoders drop it. Undefined
 * where nothing came in parts.
 */
export function mergedParts(type: MessageType, bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
  const found = new Map<number, Part[]>();
  const standing = new Map<number, number>();
  let isSplit = false;
  const cursor = new Cursor(bytes, start, end);
  while (cursor.at < end) {
    const from = cursor.at;
    const tag = cursor.tag();
    const field = type.fields.get(Math.floor(tag / 8));
    const content = contentOf(cursor, tag);
    if (field === undefined || !isWiredAs(field, tag % 8)) continue;
    if (field.oneof !== undefined) {
      const before = standing.get(field.oneof);
      if (before !== undefined && before !== field.number) found.get(before)?.forEach((part) => (part.isOver = true));
      standing.set(field.oneof, field.number);
    }
    if (!comesInOnePiece(field)) continue;
    const part: Part = { from, to: cursor.at, ...content, isOver: false, isGroup: tag % 8 === START_GROUP };
    const parts = found.get(field.number);
    if (parts === undefined) found.set(field.number, [part]);
    else {
      if (parts.length >= mostParts) throw new MalformedMessage(`one message of it comes in more than ${mostParts} parts`);
      parts.push(part);
      isSplit = true;
    }
  }
  return isSplit ? assembled(bytes, start, end, found) : undefined;
}

interface Part {
  /** The record. */
  readonly from: number;
  readonly to: number;
  /** What the message has in it. */
  readonly contentFrom: number;
  readonly contentTo: number;
  readonly isGroup: boolean;
  isOver: boolean;
}

function comesInOnePiece({ message, isRepeated }: Field): boolean {
  return message?.reachesAny === true && !isRepeated;
}

function contentOf(cursor: Cursor, tag: number): { readonly contentFrom: number; readonly contentTo: number } {
  if (tag % 8 === START_GROUP) {
    const contentFrom = cursor.at;
    return { contentFrom, contentTo: cursor.skipGroup(tag, 1) };
  }
  if (tag % 8 !== LENGTH_DELIMITED) {
    cursor.skipValue(tag);
    return { contentFrom: cursor.at, contentTo: cursor.at };
  }
  const length = cursor.length();
  cursor.at += length;
  return { contentFrom: cursor.at - length, contentTo: cursor.at };
}

/** Everything else as it stood; each message in the place of its last part. */
function assembled(bytes: Uint8Array, start: number, end: number, found: ReadonlyMap<number, readonly Part[]>): Uint8Array {
  const records = [...found].flatMap(([number, parts]) =>
    parts.map((part, index) => ({ number, part, isLast: index === parts.length - 1, parts })),
  );
  records.sort((one, other) => one.part.from - other.part.from);
  const pieces: Uint8Array[] = [];
  let from = start;
  for (const { number, part, isLast, parts } of records) {
    pieces.push(bytes.subarray(from, part.from));
    from = part.to;
    if (!isLast) continue;
    const content = concatenated(
      parts.filter(({ isOver }) => isOver === part.isOver).map((one) => bytes.subarray(one.contentFrom, one.contentTo)),
    );
    if (part.isGroup) pieces.push(encodedTag(number, START_GROUP), content, encodedTag(number, END_GROUP));
    else pieces.push(encodedTag(number, LENGTH_DELIMITED), encodedVarint(content.length), content);
  }
  pieces.push(bytes.subarray(from, end));
  return concatenated(pieces);
}

const mostParts = 10_000;

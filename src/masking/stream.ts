import type { DataClasses } from './classes.ts';
import type { DetectorSet, Span } from './detect.ts';
import { foldedCode } from './fold.ts';
import { Lookahead, type Plain } from './lookahead.ts';
import { Printable } from './printable.ts';
import { Openings } from './stream-openings.ts';
import { elementAt, partedText, terminalText, type Element, type TerminalText } from './terminal-text.ts';

/**
 * Masks a stream of text as it comes: the output of a command, a terminal. What can no longer become part of anything sensitive goes at once; only what
 * may be the beginning of a match is held back. However the stream is cut, what comes out is the same, as long as `release` is not called.
 *
 * Control sequences go through as they are and hide nothing: a number with colours inside is found, and they stay where they were; so is one that begins or ends at a sequence, whatever stands behind
 * that, which may be shown in another place. What a sequence itself carries (a title, a link) is looked at too. No match reaches over the end of a line, nor over more than 2 KiB.
 *
 * What a filter of bytes cannot know: where the cursor goes (a screen on which digits are put together by moving it), what was encoded (base64, compression,
 * UTF-16 beyond ASCII), and what comes so slowly that the first half had to be released before the second came.
 */
export interface StreamMasker {
  /** What may be shown now, in order. The pieces may be views of `bytes`, and die at the next call. */
  push(bytes: Uint8Array): readonly Uint8Array[];
  /** What is held back has waited long enough: it is shown, save what is sensitive already. Of what follows, whatever completes a match is starred. */
  release(): readonly Uint8Array[];
  /** The stream is over. */
  end(): readonly Uint8Array[];
  /** Where in the stream, in bytes, what is held back begins; undefined where nothing is. */
  readonly heldFrom: number | undefined;
  /** Values masked so far, by data class. */
  readonly masked: ReadonlyMap<string, number>;
}

export interface StreamOptions {
  /** As many bytes come out as went in, each where it was, for files that are read at any place: a mask that is longer or shorter than its value is shown as stars. */
  readonly keepsLength?: boolean;
}

export function streamMasker(classes: DataClasses, detectors: DetectorSet, options: StreamOptions = {}): StreamMasker {
  return detectors.isEmpty ? new Passing() : new Masking(classes, detectors, options.keepsLength === true);
}

class Passing implements StreamMasker {
  readonly heldFrom = undefined;
  readonly masked: ReadonlyMap<string, number> = new Map();
  push = (bytes: Uint8Array): readonly Uint8Array[] => (bytes.length === 0 ? [] : [bytes]);
  release = (): readonly Uint8Array[] => [];
  end = (): readonly Uint8Array[] => [];
}

class Masking implements StreamMasker {
  readonly masked = new Map<string, number>();
  readonly #classes: DataClasses;
  readonly #detectors: DetectorSet;
  readonly #openings: Openings;
  readonly #keepsLength: boolean;
  readonly #lookahead: Lookahead;
  /** What is held back, as it came. */
  #held: Uint8Array = new Uint8Array(0);
  /** How much of it was read already. */
  #read = 0;
  /**
   * What showed last before `#beforeTo`: the words before a number tell what it is, a letter right before it that it is a part of something else. In the place of what did not show, however much of it
   * there was, it has a NUL; else the rest of a long sequence would be taken for such a letter.
   */
  #before: Uint8Array = new Uint8Array(0);
  /** A place in what is read now. Nothing that does not show stands between it and what is open. */
  #beforeTo = 0;
  #position = 0;
  /** A control sequence came since the last judgement, or what is none for its length. */
  #hasControls = false;
  /** One that carries something came. */
  #carries = false;
  /** The beginning of what is open was released. */
  #isReleased = false;
  /** Where in the stream nothing of a control sequence that was released half can be remembered any more. */
  #trustedFrom = 0;
  /** The same where there was such a one: until then `#before` has all that came. */
  #halfUntil = 0;

  constructor(classes: DataClasses, detectors: DetectorSet, keepsLength: boolean) {
    this.#classes = classes;
    this.#detectors = detectors;
    this.#keepsLength = keepsLength;
    this.#openings = new Openings(detectors.reach);
    this.#lookahead = new Lookahead(detectors.lookouts, plain, false);
  }

  get heldFrom(): number | undefined {
    return this.#held.length === 0 ? undefined : this.#position;
  }

  push(bytes: Uint8Array): readonly Uint8Array[] {
    return this.#run(this.#held.length === 0 ? bytes : joined(this.#held, bytes), false);
  }

  release(): readonly Uint8Array[] {
    return this.#run(this.#held, true);
  }

  end(): readonly Uint8Array[] {
    return this.#run(this.#held, true);
  }

  /** Reads on in `all`, of which the first `#read` bytes were read before. `isLast`: nothing is held back. */
  #run(all: Uint8Array, isLast: boolean): readonly Uint8Array[] {
    const openings = this.#openings;
    const edits: Edit[] = [];
    let from = 0;
    let at = this.#read;
    // Before that place there is nothing more to be gained by looking ahead.
    let lookFrom = 0;
    this.#lookahead.over(all);
    while (at < all.length) {
      if (from === at && at >= lookFrom && all.length - at >= leastAhead && openings.isAtRest && this.#position + at >= this.#trustedFrom) {
        lookFrom = this.#lookahead.clearTo(at);
        from = at = openings.lastRest(all, at, lookFrom);
        if (at === all.length) break;
      }
      const byte = all[at]!;
      if (byte >= 0x20 && byte < 0x7f) {
        if (from === at && openings.isInert(byte)) {
          do at += 1;
          while (at < all.length && openings.isInert(all[at]!));
          openings.rest();
          from = at;
          continue;
        }
        openings.step(byte);
        at += 1;
      } else if (byte === lineFeed) {
        openings.endLine();
        at += 1;
      } else {
        const element = elementAt(all, at, isLast);
        if (element === undefined) break;
        this.#step(element);
        at = element.end;
      }
      if (!openings.isOpen) {
        if (openings.mayHaveMatched || this.#carries) this.#judge(all, from, at, at, edits);
        openings.forget();
        if (this.#hasControls) this.#pass(all, from, at);
        this.#hasControls = this.#carries = this.#isReleased = false;
        from = at;
      } else if (at - from >= windowBytes) {
        const to = this.#cut(all, from, at, edits);
        if (this.#hasControls) this.#pass(all, from, to);
        from = to;
      }
    }
    if (isLast && from < all.length) {
      this.#judge(all, from, all.length, all.length, edits);
      this.#pass(all, from, all.length);
      from = at = all.length;
      this.#isReleased = true;
    }
    this.#before = lastOf(this.#before, all.subarray(this.#beforeTo, from));
    this.#beforeTo = 0;
    this.#position += from;
    if (isLast) this.#trustedFrom = this.#position + beforeBytes;
    this.#held = all.slice(from);
    this.#read = at - from;
    return edited(all.subarray(0, from), edits);
  }

  #step(element: Element): void {
    this.#hasControls ||= element.kind === 'control' || element.code === verticalTab;
    if (element.kind === 'control') {
      this.#carries ||= element.carries !== undefined;
      this.#openings.part();
    } else if (element.code >= 0x0a && element.code <= 0x0d) this.#openings.endLine();
    else if (element.code < 0x80) this.#openings.step(element.code);
    else {
      const folded = foldedCode(element.code);
      if (folded !== undefined) this.#openings.step(folded);
    }
  }

  /** What stands from `from` to `to`, control sequences among it, is judged: of it, what showed last is kept. */
  #pass(all: Uint8Array, from: number, to: number): void {
    const { shown, isHalf } = shownOf(all, from, to);
    const isAllKept = this.#position + to <= this.#halfUntil;
    this.#before = lastOf(lastOf(this.#before, all.subarray(this.#beforeTo, from)), isAllKept ? all.subarray(from, to) : shown);
    this.#beforeTo = to;
    if (isHalf) this.#halfUntil = this.#position + to + beforeBytes;
  }

  /** Something is open for so long that its beginning is judged alone: whatever begins there ends within what is known. Gives back how far it was. */
  #cut(all: Uint8Array, from: number, to: number, edits: Edit[]): number {
    let end = to - longestMatchBytes;
    while (end < to && (all[end]! & 0xc0) === 0x80) end += 1;
    return this.#openings.mayHaveMatched || this.#carries ? this.#judge(all, from, to, end, edits) : end;
  }

  /** Masks what begins before `end` in the bytes from `from` to `to`, and gives back how far everything is judged with that. */
  #judge(all: Uint8Array, from: number, to: number, end: number, edits: Edit[]): number {
    if (!this.#carries && !this.#isReleased && isUnbroken(all, from, to) && !this.#detectors.mayContain(all, from, to)) return end;
    const before = lastOf(this.#before, all.subarray(Math.max(this.#beforeTo, from - beforeBytes), from));
    const bytes = joined(before, all.subarray(from, to));
    const offset = from - before.length;
    const parted = partedText(bytes, 0, bytes.length);
    const hidden = new Set<number>();
    let judged = end;
    for (const text of [...withCarried(terminalText(bytes, 0, bytes.length)), ...(parted === undefined ? [] : [parted])]) {
      if (!this.#detectors.mayContainText(text.text)) continue;
      for (const span of this.#detectors.scan(text.text)) {
        const spanEnd = text.endOf(span.end - 1) + offset;
        if (spanEnd <= from || text.startOf(span.start) + offset >= end) continue;
        judged = Math.max(judged, spanEnd);
        if (this.#hide(text, span, offset, from, edits, hidden)) this.masked.set(span.class, (this.masked.get(span.class) ?? 0) + 1);
      }
    }
    return judged;
  }

  /**
   * What of the span comes before `from` was shown already: then the rest is starred, as is what is not in `hidden` of a span that partly is. `hidden`: where characters stand that other spans hide. False where
   * that are some of this one.
   */
  #hide(text: TerminalText, span: Span, offset: number, from: number, edits: Edit[], hidden: Set<number>): boolean {
    const value = text.text.slice(span.start, span.end);
    const rule = this.#classes.strongest([span.class]);
    let isNew = true;
    for (let unit = span.start; unit < span.end; unit += 1) isNew &&= !hidden.has(text.startOf(unit) + offset);
    const isWhole = text.startOf(span.start) + offset >= from;
    const mask = !isWhole
      ? value.replace(/[\p{L}\p{M}\p{N}]/gu, (found) => '*'.repeat(found.length))
      : rule === undefined
        ? ''
        : (this.#classes.mask(rule, value) ?? '');
    // A mask of the same length leaves control sequences where they were; any other stands before them.
    const isAligned = mask.length === value.length;
    for (let unit = span.start; unit < span.end;) {
      const start = text.startOf(unit);
      const next = unit + 1 < span.end && text.startOf(unit + 1) === start ? unit + 2 : unit + 1;
      const end = text.endOf(unit);
      const shown = isAligned ? mask.slice(unit - span.start, next - span.start) : unit === span.start ? mask : '';
      const fitting = this.#keepsLength && (!isAligned || encoder.encode(shown).length !== end - start) ? '*'.repeat(end - start) : shown;
      if (start + offset >= from && end > start && !hidden.has(start + offset)) {
        edits.push({ start: start + offset, end: end + offset, shown: fitting });
        hidden.add(start + offset);
      }
      unit = next;
    }
    return isNew;
  }
}

/** A stretch of bytes, and what is shown in its place. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly shown: string;
}

function edited(bytes: Uint8Array, edits: Edit[]): readonly Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const { start, end, shown } of edits.sort((a, b) => a.start - b.start)) {
    if (start > from) pieces.push(bytes.subarray(from, start));
    if (shown !== '') pieces.push(encoder.encode(shown));
    from = end;
  }
  if (from < bytes.length) pieces.push(bytes.subarray(from));
  return pieces;
}

/** Nothing that does not show parts what shows; the end of a line may stand last. */
function isUnbroken(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (bytes[at]! < 0x20 || bytes[at] === 0x7f || bytes[at] === 0xc2) return to - at === 1;
  return true;
}

/** What shows of some bytes, as it came, and a NUL in the place of what does not. `isHalf`: at their end a sequence or a character has begun, all of which is in it. */
function shownOf(all: Uint8Array, from: number, to: number): { readonly shown: Uint8Array; readonly isHalf: boolean } {
  const shown = new Uint8Array(to - from);
  let length = 0;
  for (let at = from; at < to;) {
    const element = elementAt(all, at, false);
    const end = element?.end ?? to;
    if (element?.kind === 'control') {
      if (length === 0 || shown[length - 1] !== 0) shown[length++] = 0;
    } else if (element?.code === verticalTab) {
      // What is no sequence for its length would be one again where less of it is kept.
      shown[length++] = verticalTab;
    } else {
      shown.set(all.subarray(at, end), length);
      length += end - at;
    }
    if (element === undefined) return { shown: shown.subarray(0, length), isHalf: true };
    at = end;
  }
  return { shown: shown.subarray(0, length), isHalf: false };
}

function withCarried(text: TerminalText): readonly TerminalText[] {
  return [text, ...text.carried.flatMap(withCarried)];
}

function lastOf(before: Uint8Array, bytes: Uint8Array): Uint8Array {
  if (bytes.length >= beforeBytes) return bytes.slice(bytes.length - beforeBytes);
  return joined(before.subarray(Math.max(0, before.length + bytes.length - beforeBytes)), bytes);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Bytes that are each a character of its own, shown as it is. */
function plainBytes(): Uint8Array {
  const table = new Uint8Array(256);
  table.fill(1, 0x09, 0x0e);
  return table.fill(1, 0x20, 0x7f);
}

const plain: Plain = { table: plainBytes(), words: (bytes) => new Printable(bytes) };
const encoder = new TextEncoder();
const lineFeed = 0x0a;
const verticalTab = 0x0b;
/** For less it does not pay to look ahead. */
const leastAhead = 48;
/** What is held back at most, and of it what may still become a match when its beginning has to go. */
const windowBytes = 8192;
const longestMatchBytes = 2048;
/** Words that speak of a number stand at most 48 characters before it. */
const beforeBytes = 96;

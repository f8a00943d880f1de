import { GrowingBytes } from '../growing-bytes.ts';
import { readClose, type Close } from './close.ts';
import { applyMask, FrameViolation, headLength, maxHeadBytes, opcodes, readHead, type FrameHead } from './frame.ts';

/** What came whole. `bytes` belong to whoever takes them. */
export type Message =
  /** UTF-8, checked. */
  | { readonly kind: 'text'; readonly bytes: Uint8Array }
  | { readonly kind: 'binary'; readonly bytes: Uint8Array }
  | { readonly kind: 'ping'; readonly bytes: Uint8Array }
  | { readonly kind: 'pong'; readonly bytes: Uint8Array }
  | ({ readonly kind: 'close' } & Close)
  /** The peer broke the protocol. Like `close`, it is the last that comes. */
  | { readonly kind: 'violation'; readonly closeCode: FrameViolation['closeCode']; readonly reason: string };

export interface MessageReaderOptions {
  /** Whose frames these are: those of clients are masked, those of servers are not. */
  readonly fromClient: boolean;
  /** Of a message, all its fragments together. A longer one is a violation (1009), before memory is taken for it. */
  readonly maxMessageBytes: number;
}

/**
 * Puts messages together from one side's bytes (RFC 6455 sections 5 and 6), in any cuts. Control frames may come between the fragments of a message (section 5.4). No
 * extension is known: permessage-deflate has to be taken out of what is offered. Never throws.
 */
export class MessageReader {
  readonly #options: MessageReaderOptions;
  readonly #head = new Uint8Array(maxHeadBytes);
  #headLength = 0;
  /** Whose payload is being read. */
  #frame: FrameHead | undefined;
  #payload: GrowingBytes | undefined;
  /** Where the frame's payload begins in `#payload`, which holds the fragments before it. */
  #frameStart = 0;
  /** The message whose fragments come. */
  #message: { readonly kind: 'text' | 'binary'; readonly bytes: GrowingBytes } | undefined;
  #isOver = false;

  constructor(options: MessageReaderOptions) {
    this.#options = options;
  }

  push(bytes: Uint8Array): readonly Message[] {
    const messages: Message[] = [];
    try {
      for (let at = 0; !this.#isOver && at < bytes.length;) at = this.#take(bytes, at, messages);
    } catch (error) {
      if (!(error instanceof FrameViolation)) throw error;
      this.#isOver = true;
      messages.push({ kind: 'violation', closeCode: error.closeCode, reason: error.message });
    }
    if (messages.some(({ kind }) => kind === 'close')) this.#isOver = true;
    return messages;
  }

  /** Takes what it can of one frame; returns where it stopped. */
  #take(bytes: Uint8Array, at: number, messages: Message[]): number {
    if (this.#frame === undefined) return this.#takeHead(bytes, at, messages);
    const payload = this.#payload!;
    const missing = this.#frame.length - (payload.length - this.#frameStart);
    const taken = bytes.subarray(at, at + missing);
    const start = payload.append(taken);
    if (this.#frame.mask !== undefined) applyMask(payload.buffer, start, payload.length, this.#frame.mask, start - this.#frameStart);
    if (taken.length === missing) this.#endFrame(messages);
    return at + taken.length;
  }

  #takeHead(bytes: Uint8Array, from: number, messages: Message[]): number {
    let at = from;
    for (; at < bytes.length; at += 1) {
      this.#head[this.#headLength] = bytes[at]!;
      this.#headLength += 1;
      if (this.#headLength < 2 || this.#headLength < headLength(this.#head[1]!)) continue;
      this.#begin(readHead(this.#head.subarray(0, this.#headLength), this.#options.fromClient), messages);
      return at + 1;
    }
    return at;
  }

  #begin(frame: FrameHead, messages: Message[]): void {
    this.#headLength = 0;
    this.#frame = frame;
    this.#payload = frame.opcode >= opcodes.close ? new GrowingBytes() : this.#messageOf(frame).bytes;
    this.#frameStart = this.#payload.length;
    if (this.#frameStart + frame.length > this.#options.maxMessageBytes && frame.opcode < opcodes.close) {
      throw new FrameViolation(1009, `a message is longer than ${this.#options.maxMessageBytes} bytes`);
    }
    if (frame.length === 0) this.#endFrame(messages);
  }

  /** Section 5.4: the first fragment has the opcode, the others continue it, and no other message comes between. */
  #messageOf({ opcode }: FrameHead): { readonly bytes: GrowingBytes } {
    const isContinuation = opcode === opcodes.continuation;
    if (isContinuation !== (this.#message !== undefined)) {
      throw new FrameViolation(1002, isContinuation ? 'a continuation of nothing' : 'a message within another one');
    }
    this.#message ??= { kind: opcode === opcodes.text ? 'text' : 'binary', bytes: new GrowingBytes() };
    return this.#message;
  }

  #endFrame(messages: Message[]): void {
    const { opcode, isFinal } = this.#frame!;
    const payload = this.#payload!;
    this.#frame = undefined;
    this.#payload = undefined;
    switch (opcode) {
      case opcodes.close:
        messages.push({ kind: 'close', ...readClose(payload.take()) });
        this.#isOver = true;
        return;
      case opcodes.ping:
      case opcodes.pong:
        messages.push({ kind: opcode === opcodes.ping ? 'ping' : 'pong', bytes: payload.take() });
        return;
      case opcodes.continuation:
      case opcodes.text:
      case opcodes.binary: {
        if (!isFinal) return;
        const { kind } = this.#message!;
        this.#message = undefined;
        const bytes = payload.take();
        if (kind === 'text') checkUtf8(bytes);
        messages.push({ kind, bytes });
        return;
      }
      default:
        opcode satisfies never;
    }
  }
}

/** Section 8.1. */
function checkUtf8(bytes: Uint8Array): void {
  try {
    strict.decode(bytes);
  } catch {
    throw new FrameViolation(1007, 'a text message is no UTF-8');
  }
}

const strict = new TextDecoder('utf-8', { fatal: true });

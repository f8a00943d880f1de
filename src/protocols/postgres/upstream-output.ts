import { Passing } from '../../core/passing.ts';
import type { Conversation } from './conversation.ts';
import type { Running } from './expected.ts';
import { notice } from './fault.ts';

/** What goes to the client: views of the bytes that came, and what stands in their place. Nothing passes while the client was told an error for it. */
export class UpstreamOutput {
  readonly #talk: Conversation;
  readonly #passing = new Passing();

  constructor(talk: Conversation) {
    this.#talk = talk;
  }

  /** The frame or run that was handed out last, as it is. */
  pass(): void {
    if (this.#talk.stopping.silent) return;
    const { bytes, start, end } = this.#talk.upstreamFramer;
    this.#passing.pass(bytes, start, end);
  }

  /** The same up to `end`, which is an offset into its bytes. */
  passUpTo(end: number): void {
    const { bytes, start } = this.#talk.upstreamFramer;
    if (end > start) this.#passing.pass(bytes, start, end);
  }

  /** What follows in an answer that was stopped is not shown. */
  passOf(running: Running): void {
    if (running.stopped === undefined) this.pass();
  }

  put(bytes: Uint8Array): void {
    if (!this.#talk.stopping.silent) this.tell(bytes);
  }

  /** Whatever the client was told: it belongs to no answer. */
  tell(bytes: Uint8Array): void {
    this.#passing.pass(bytes, 0, bytes.length);
  }

  /** The message as it came, where masking left its fields alone. */
  masked(
    before: ReadonlyMap<string, string>,
    after: ReadonlyMap<string, string>,
    encoded: (fields: ReadonlyMap<string, string>) => Uint8Array,
  ): void {
    if (after === before) this.pass();
    else this.put(encoded(after));
  }

  /** What was masked in an operation's answer, by class, in a notice behind its rows. */
  tellMasked(running: Running): void {
    if (!running.maskedAny) return;
    const classes = [...running.masked].map(([name, count]) => `${name} (${count} ${count === 1 ? 'value' : 'values'})`);
    this.put(notice(`masked: ${classes.join(', ')}`));
  }

  flush(): void {
    for (const bytes of this.#passing.take()) this.#talk.reply(bytes);
  }
}

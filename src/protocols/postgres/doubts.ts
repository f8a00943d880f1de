import { GatewayFault } from '../../core/fault.ts';
import type { Conversation } from './conversation.ts';
import type { Expected, Running } from './expected.ts';
import { concerns } from './footprint.ts';
import type { MaskContext } from './mask.ts';
import { SERVER_TAG } from './messages.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import { meansTheSame } from './same-meaning.ts';

/**
 * An answer is shown as its statement was judged. Where others began to define something in between (`Definitions`), the server may have
 * understood the statement by a definition that the judgement does not know of. Then the answer waits until the catalogue was read once more,
 * and the statement must mean by it what it meant before; else it is stopped.
 *
 * One definition leaves two meanings that it can have had, and both are compared; the next one waits for that. Of several the catalogue shows
 * only the last: what was there in between cannot be known.
 */
export class Doubts {
  readonly #talk: Conversation;
  #asked: Asked | undefined;

  constructor(talk: Conversation) {
    this.#talk = talk;
  }

  /** True where what lies unread is to stay so. Called in front of each message of the target. */
  holds(head: Expected | undefined): boolean {
    if (head?.kind !== 'query' && head?.kind !== 'execute') return false;
    const { running } = head;
    if (running.judgedAt === this.#talk.definitions.count || running.isShowing || running.stopped !== undefined) return false;
    const tag = this.#talk.upstreamFramer.peek();
    if (tag === undefined || !showing.has(tag) || this.#talk.upstreamFramer.remaining > 0) return false;
    return this.#decide(running);
  }

  /** What the target says beside rows may be of something that the judgement does not know of. */
  isIn(running: Running): boolean {
    return running.judgedAt !== this.#talk.definitions.count && !running.isShowing && this.#unknown(running) > 0;
  }

  #decide(running: Running): boolean {
    const asked = this.#asked;
    if (asked?.of === running) {
      if (asked.answer === undefined) return true;
      this.#asked = undefined;
      const masks =
        asked.answer === 'none' || this.#unknown(running, asked.count) > 1 ? undefined : this.#masksOfTheSame(running, asked.answer);
      if (masks === undefined) this.#stop(running);
      else this.#believe(running, asked.mark, masks);
      return false;
    }
    const unknown = this.#unknown(running);
    if (unknown === 0) this.#believe(running, this.#talk.definitions.mark(), running.judged?.sight.masks);
    else if (unknown > 1) this.#stop(running);
    else this.#ask(running);
    return unknown === 1;
  }

  #ask(running: Running): void {
    const { definitions } = this.#talk;
    const asked: Asked = { of: running, mark: definitions.mark(), count: definitions.count, answer: undefined };
    this.#asked = asked;
    const read = this.#talk.target.catalogueAfterwards(this.#talk.databaseName);
    definitions.compares(read);
    this.#talk.wait(
      read.then((catalogue) => {
        asked.answer = catalogue ?? 'none';
      }),
      true,
    );
  }

  /** `masks`: not those of the session's view of now, which may know of the definitions only that there were some. */
  #believe(running: Running, mark: number, masks: MaskContext | undefined): void {
    running.judgedAt = mark;
    running.isShowing = true;
    running.masks = masks;
    running.plan = undefined;
  }

  /** Definitions of others that may matter and that the judgement does not know of; infinitely many where that cannot be told. */
  #unknown({ judgedAt, understanding }: Running, before = Number.POSITIVE_INFINITY): number {
    const { definitions, defining } = this.#talk;
    const since = definitions.since(judgedAt);
    if (since === undefined) return Number.POSITIVE_INFINITY;
    return since.filter(({ number, by, footprint }) => number < before && by !== defining && concerns(footprint, understanding)).length;
  }

  /** Undefined where it means something else. */
  #masksOfTheSame({ judged, understanding }: Running, catalogue: SchemaCatalogue): MaskContext | undefined {
    if (judged === undefined) return undefined;
    try {
      const now = this.#talk.understandBy(catalogue, judged.statement);
      return meansTheSame(understanding, now.understanding) ? now.sight.masks : undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * What only reads is ended with an error that says so. What may have changed something has done so by now, and what was sent behind it runs
   * as if there had been no error: there the session ends, as no error would be true.
   */
  #stop(running: Running): void {
    const { stopping, expected } = this.#talk;
    if (!running.understanding.pureRead || expected.running > 1) throw schemaChanged();
    stopping.answer(running, schemaChanged());
  }
}

/** What the answer of `of` waits for: the catalogue of afterwards, `none` where it could not be read. */
interface Asked {
  readonly of: Running;
  readonly mark: number;
  /** Definitions that had begun by then: those behind them are not forwarded before the answer is there. */
  readonly count: number;
  answer: SchemaCatalogue | 'none' | undefined;
}

function schemaChanged(): GatewayFault {
  return new GatewayFault('schema-changed', {
    publicMessage: 'another session changed the schema while this statement ran, and its answer may not be what it was judged by',
  });
}

/** What carries rows, or says what rows there will be. */
const showing: ReadonlySet<number> = new Set([SERVER_TAG.RowDescription, SERVER_TAG.DataRow, SERVER_TAG.CopyOutResponse]);

import type { Effect } from '../core/effect.ts';

export interface EffectQueueParts {
  /** Applies one effect. It may bring more, by `take` or `takeNext`. False: nothing more is to be applied. */
  readonly apply: (effect: Effect) => boolean;
  /** Writes what was applied so far: once before the notes at the end, and once behind everything. Not called where `apply` said false. */
  readonly flush: () => void;
  /** True while what the client waits for is withheld: then what is only noted of it may wait too (`settle`). */
  readonly isWithheld: () => boolean;
  /** Some notes wait. */
  readonly onNotesWaiting: () => void;
}

/** What one session has asked for and is still to be done of it, in order. */
export class EffectQueue {
  readonly #parts: EffectQueueParts;
  readonly #effects: Effect[] = [];
  /** What is noted of answers that are withheld. */
  #notes: Effect[] = [];
  /** The one at hand. */
  #at = 0;
  #isApplying = false;

  constructor(parts: EffectQueueParts) {
    this.#parts = parts;
  }

  /** Behind everything else. Applied before this returns, unless an effect is being applied: then by whoever does that. */
  take(effects: readonly Effect[]): void {
    for (const effect of effects) this.#effects.push(effect);
    if (this.#isApplying) return;
    this.settle();
    this.#run();
  }

  /** What a decision brings comes before whatever was asked for behind the question. For the effect at hand. */
  takeNext(effects: readonly Effect[]): void {
    if (this.#at + 1 === this.#effects.length) for (const effect of effects) this.#effects.push(effect);
    else this.#effects.splice(this.#at + 1, 0, ...effects);
  }

  /**
   * Applies the notes that waited. Before each call of the session, whose views they may be, and before it ends; else once nothing is withheld, or nothing
   * more urgent is to be done.
   */
  settle(): void {
    if (this.#notes.length === 0) return;
    const notes = this.#notes;
    this.#notes = [];
    for (const note of notes) this.#parts.apply(note);
  }

  /** Drops what was not applied yet, but for notes that waited. What is taken next is applied at once, although an effect may be at hand. */
  clear(): void {
    this.#effects.length = 0;
    this.#isApplying = false;
  }

  #run(): void {
    this.#isApplying = true;
    const last = this.#lastMove();
    let goesOn = true;
    try {
      for (this.#at = 0; goesOn && this.#at < this.#effects.length; this.#at += 1) {
        // What the client waits for goes before what is only noted of it.
        if (this.#at === last + 1) {
          this.#parts.flush();
          if (this.#parts.isWithheld()) {
            this.#notes = this.#effects.slice(this.#at);
            this.#parts.onNotesWaiting();
            break;
          }
        }
        goesOn = this.#parts.apply(this.#effects[this.#at]!);
      }
    } finally {
      this.clear();
      if (goesOn) this.#parts.flush();
    }
  }

  /** Index of the last effect behind which there is nothing but notes of what was done. */
  #lastMove(): number {
    let at = this.#effects.length - 1;
    for (; at >= 0; at -= 1) {
      const { kind } = this.#effects[at]!;
      if (kind !== 'complete' && kind !== 'sample') break;
    }
    return at;
  }
}

import type { Conversation } from './conversation.ts';
import type { Cycle } from './cycle.ts';
import * as encode from './encode.ts';
import type { ClientMessage } from './messages.ts';
import type { PreparedStatement } from './names.ts';
import type { SecondDoor } from './second-door.ts';
import { readsAlike } from './unseen-code.ts';

/**
 * What of the client's cannot be judged before answers came that are still on their way, and the one message that waits for them; nothing
 * behind it is read meanwhile. Each `waits…` is true where the message at hand was kept, to be taken and judged anew.
 */
export class EarlierAnswers {
  readonly #talk: Conversation;
  readonly #cycle: Cycle;
  readonly #door: Pick<SecondDoor, 'cycleIsOpen'>;
  #kept: { readonly bytes: Uint8Array; readonly until: () => boolean } | undefined;

  constructor(talk: Conversation, cycle: Cycle, door: Pick<SecondDoor, 'cycleIsOpen'>) {
    this.#talk = talk;
    this.#cycle = cycle;
    this.#door = door;
  }

  /** A message is kept, and waits. */
  get areAwaited(): boolean {
    return this.#kept !== undefined;
  }

  /** The message that was kept, once it can be judged: at once where a copy has begun, which takes in whatever comes. */
  take(copyIn: boolean): Uint8Array | undefined {
    const kept = this.#kept;
    if (kept === undefined || (!copyIn && !kept.until())) return undefined;
    this.#kept = undefined;
    return kept.bytes;
  }

  waitsForLimits(message: ClientMessage, view: Uint8Array): boolean {
    return this.#isAheadOfLimits(message) && this.#keep(view, () => !this.#isAheadOfLimits(message));
  }

  /** For whoever changes something: it would stay, where an answer before it passes a limit. */
  waitsToChange(statement: PreparedStatement, view: Uint8Array): boolean {
    return this.#changesBehindLimits(statement) && this.#keep(view, () => this.#talk.expected.limited === 0);
  }

  /** For the meaning of a statement's name. */
  waitsForStatement(name: string, view: Uint8Array): boolean {
    return !this.#cycle.statementIsCertain(name) && this.#keep(view, () => this.#cycle.statementIsCertain(name));
  }

  /** For the meaning of a portal's name. */
  waitsForPortal(name: string, view: Uint8Array): boolean {
    return !this.#cycle.portalIsCertain(name) && this.#keep(view, () => this.#cycle.portalIsCertain(name));
  }

  /** Which statement EXECUTE or FETCH runs is only certain once earlier answers came. */
  waitsForMeaning({ analysis: { statements } }: PreparedStatement, view: Uint8Array): boolean {
    return !this.#cycle.meaningIsCertain(statements) && this.#keep(view, () => this.#cycle.meaningIsCertain(statements));
  }

  /** Earlier code may have changed how the server will read the text, and its answer will tell. */
  waitsToBeRead(text: string, view: Uint8Array): boolean {
    const { unseen } = this.#talk.expected;
    return unseen.state === 'waits' && !readsAlike(text) && this.#keep(view, () => unseen.state !== 'waits');
  }

  /** The same, and no answer will tell before Sync. */
  mustNotBeRead(text: string): boolean {
    const { state } = this.#talk.expected.unseen;
    return state !== 'settled' && state !== 'waits' && !readsAlike(text);
  }

  /** For copy data outside of a copy: one that was asked for may still begin. */
  waitsForCopy(view: Uint8Array): boolean {
    return this.#talk.expected.mayCopyIn && this.#keep(view, () => !this.#talk.expected.mayCopyIn);
  }

  /** Flush, because the server may keep its answers back until the client's Sync, which is behind this message. */
  #keep(view: Uint8Array, until: () => boolean): true {
    this.#kept = { bytes: view.slice(), until };
    this.#talk.housekeep(encode.emptyClientMessage('Flush'));
    return true;
  }

  /**
   * An answer that passes a limit must end in an error, which fails its transaction; what stands behind it would run all the same. So
   * behind a Sync, and before a Query, nothing goes before such answers are complete; in their own cycle nothing that may change something, and
   * not the Sync itself, which would commit, where they are of something that did.
   */
  #isAheadOfLimits({ kind }: ClientMessage): boolean {
    const { limited, limitedChanges, limitedTexts } = this.#talk.expected;
    if (limited === 0) return false;
    switch (kind) {
      case 'Query':
        return true;
      case 'Sync':
        return limitedTexts > 0 || (this.#door.cycleIsOpen && limitedChanges > 0);
      case 'Parse':
      case 'Bind':
      case 'Execute':
      case 'Describe':
      case 'Close':
        return limitedTexts > 0 || !this.#door.cycleIsOpen;
      default:
        return false;
    }
  }

  #changesBehindLimits(statement: PreparedStatement): boolean {
    if (this.#talk.expected.limited === 0) return false;
    try {
      return !this.#talk.understand(statement).pureRead;
    } catch {
      // It is refused in a moment, with its reason.
      return false;
    }
  }
}

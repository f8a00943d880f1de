import type { Call } from './call.ts';

/** What the recording keeps of an answer: how many messages it had and the first ones as text, everything masked, also what its principal saw. */
export class AnswerSamples {
  readonly #call: Call;
  readonly #texts: (string | null)[] = [];
  #messages = 0;

  constructor(call: Call) {
    this.#call = call;
  }

  take(message: Uint8Array): void {
    this.#messages += 1;
    if (this.#texts.length >= mostMessages) return;
    const { described, recordMasks } = this.#call;
    const text = message.length > mostBytes ? undefined : described?.masker('response', recordMasks).text(message, mostCharacters);
    this.#texts.push(text ?? null);
  }

  sample(): { readonly columns: readonly string[]; readonly row: readonly (string | null)[] } {
    const columns = ['messages', ...this.#texts.map((_, index) => `message ${index + 1}`)];
    return { columns, row: [String(this.#messages), ...this.#texts] };
  }
}

const mostMessages = 3;
/** Of one message: a longer one is counted only. */
const mostBytes = 16 * 1024;
const mostCharacters = 1_024;

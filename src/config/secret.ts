/**
 * A secret that was read. Printed, logged, compared or put in JSON it is its reference (`env:ORDERS_PASSWORD`); only `reveal` and
 * `text` give the value.
 */
export class Secret {
  readonly reference: string;
  readonly #value: Uint8Array;

  constructor(reference: string, value: Uint8Array) {
    this.reference = reference;
    this.#value = value;
  }

  /** The exact bytes: a key, a certificate. */
  reveal(): Uint8Array {
    return this.#value;
  }

  /** The value as text without one trailing line break, which editors and `echo` add to files. Invalid UTF-8 throws. */
  text(): string {
    return new TextDecoder('utf-8', { fatal: true }).decode(this.#value).replace(/\r?\n$/, '');
  }

  toString(): string {
    return this.reference;
  }

  toJSON(): string {
    return this.reference;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.reference;
  }
}

import { hash } from 'node:crypto';

/**
 * Recognises requests on one connection that are byte for byte one that Node's parser has read there before: nothing that it said of the one can be otherwise of the other. Only requests
 * that are nothing but a head and came as one piece are kept, under their digest, since the head has the credential in it.
 *
 * What it must never do is to take a part of another message for a request (bytes of a body can look like anything). So it answers only while it is certain that the parser has
 * read all that came before, and that a message ended there: after a piece that ends with an empty line, and whose last request has no body.
 */
export class Repeats<T> {
  readonly #known = new Map<string, T>();
  #isAtStart = true;
  /** Of the piece that the parser is at. */
  #digest: string | undefined;
  #told = 0;
  #isOver = false;

  /** What was kept of the same request. */
  find(piece: Buffer): T | undefined {
    return this.#isAtStart && this.#known.size > 0 && piece.length <= mostBytes ? this.#known.get(digestOf(piece)) : undefined;
  }

  /** The parser is given this piece now. */
  reading(piece: Buffer): void {
    const end = piece.indexOf(emptyLine);
    this.#digest = this.#isAtStart && piece.length <= mostBytes && end === piece.length - emptyLine.length ? digestOf(piece) : undefined;
    this.#isOver = end >= 0 && piece.lastIndexOf(emptyLine) === piece.length - emptyLine.length;
    this.#told = 0;
  }

  /** The parser has told of a request. `isWhole`: it has no body, not even an empty one, and does not ask to go on in another protocol. */
  told(isWhole: boolean): void {
    this.#told += 1;
    this.#isOver &&= isWhole;
  }

  /** The parser is through with the piece. Gives back under what its request may be kept. */
  read(): string | undefined {
    this.#isAtStart = this.#isOver && this.#told > 0;
    return this.#isAtStart && this.#told === 1 ? this.#digest : undefined;
  }

  keep(digest: string, value: T): void {
    if (this.#known.size >= mostKept) this.#known.clear();
    this.#known.set(digest, value);
  }
}

function digestOf(piece: Buffer): string {
  return hash('sha256', piece, 'base64');
}

const emptyLine = Buffer.from('\r\n\r\n');
/** A head that is longer is not worth it. */
const mostBytes = 8 * 1024;
const mostKept = 16;

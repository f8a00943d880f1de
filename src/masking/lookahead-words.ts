import { ByteCodes, isDigit } from './digits.ts';
import type { Lookout } from './lookahead.ts';
import { emailAt } from './recognise-contact.ts';
import { endOfIban } from './recognise-iban.ts';

/** For e-mail addresses, by their `@`. */
export class EmailLookout implements Lookout {
  readonly #codes = new ByteCodes();

  first(bytes: Uint8Array, from: number, to: number): number {
    const codes = this.#codes.of(bytes, from);
    let found = to;
    const report = (start: number): void => {
      found = start;
    };
    for (let at = nextSign(bytes, from, to); at < to; at = nextSign(bytes, at + 1, to)) {
      emailAt(codes, at, report);
      if (found < to) return found;
    }
    return to;
  }
}

/** For account numbers, by the two digits behind the two letters that they begin with: of any two neighbours one is looked at. */
export class IbanLookout implements Lookout {
  readonly #codes = new ByteCodes();

  first(bytes: Uint8Array, from: number, to: number): number {
    const codes = this.#codes.of(bytes, from);
    for (let at = from + 2; at < to; at += 2) {
      if (!isDigit(bytes[at]!)) continue;
      if (isDigit(codes.at(at + 1)) && endOfIban(codes, at - 2) >= 0) return at - 2;
      if (at > from + 2 && isDigit(bytes[at - 1]!) && endOfIban(codes, at - 3) >= 0) return at - 3;
    }
    return to;
  }
}

/** Not beyond `to`, which may be near where the next sign is far away. */
function nextSign(bytes: Uint8Array, from: number, to: number): number {
  if (to - from < SHORT) {
    let at = from;
    while (at < to && bytes[at] !== SIGN) at += 1;
    return at;
  }
  const found = bytes.subarray(from, to).indexOf(SIGN);
  return found < 0 ? to : from + found;
}

const SIGN = 0x40;
/** As long as it takes to call what is fast for a long one. */
const SHORT = 100;

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
    for (let at = bytes.indexOf(SIGN, from); at >= 0 && at < to; at = bytes.indexOf(SIGN, at + 1)) {
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

const SIGN = 0x40;

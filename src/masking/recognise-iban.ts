import { asciiSet, isAlphanumeric, isDigit, isIn, isLetter, type Codes } from './digits.ts';

/**
 * International bank account numbers (ISO 13616): a country of the registry, its length, and the remainder 1 modulo 97. Either case;
 * after the first four characters one space, hyphen or dot may stand between any two.
 */
export function findIbans(text: string, codes: Codes, report: (start: number, end: number) => void): void {
  for (let at = 0; at + SHORTEST <= text.length; at++) {
    if (!isDigit(text.charCodeAt(at + 2)) || !isDigit(text.charCodeAt(at + 3))) continue;
    const end = endOfIban(codes, at);
    if (end < 0) continue;
    report(at, end);
    at = end - 1;
  }
}

/** Where the number ends that begins at `at` with two letters and two digits; -1 where none does. */
export function endOfIban(codes: Codes, at: number): number {
  if (!isLetter(codes.at(at)) || !isLetter(codes.at(at + 1)) || isAlphanumeric(codes.at(at - 1))) return -1;
  const length = ibanLength(codes.at(at) & UPPER, codes.at(at + 1) & UPPER);
  const end = length === 0 ? -1 : endOfCharacters(codes, at, length);
  return end >= 0 && isRemainderOne(codes, at, end) ? end : -1;
}

/** How many characters the numbers of a country have, by the codes of its two capital letters; 0 for none of the registry. */
export function ibanLength(first: number, second: number): number {
  return LENGTHS[(first - LETTER_A) * 26 + second - LETTER_A]!;
}

/** Whether a country's two letters may begin with this capital. */
export function beginsCountry(code: number): boolean {
  return FIRST_LETTERS.has(code);
}

/** The end of the `length` letters and digits that start at `start`, or -1 where there are fewer or more. */
function endOfCharacters(codes: Codes, start: number, length: number): number {
  let at = start;
  for (let count = 0; count < length; count++) {
    if (count >= 4 && isIn(SEPARATORS, codes.at(at))) at++;
    if (at >= codes.length || !isAlphanumeric(codes.at(at))) return -1;
    at++;
  }
  return at < codes.length && isAlphanumeric(codes.at(at)) ? -1 : at;
}

/** The first four characters count last; letters are 10 to 35. */
function isRemainderOne(codes: Codes, start: number, end: number): boolean {
  let remainder = 0;
  const add = (from: number, to: number): void => {
    for (let at = from; at < to; at++) {
      const code = codes.at(at);
      if (isDigit(code)) remainder = (remainder * 10 + code - 0x30) % 97;
      else if (isLetter(code)) remainder = (remainder * 100 + (code & 0x1f) + 9) % 97;
    }
  };
  add(start + 4, end);
  add(start, start + 4);
  return remainder === 1;
}

function lengths(): Uint8Array {
  const table = new Uint8Array(26 * 26);
  for (const entry of REGISTRY.split(' ')) {
    table[(entry.charCodeAt(0) - LETTER_A) * 26 + entry.charCodeAt(1) - LETTER_A] = Number(entry.slice(2));
  }
  return table;
}

const LETTER_A = 0x41;
/** Makes a capital of a letter's code. */
const UPPER = 0xdf;
const SEPARATORS = asciiSet(' -.');
const SHORTEST = 15;
/** Country → length, from the IBAN registry. */
const REGISTRY =
  'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 ' +
  'FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 ' +
  'MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 ' +
  'SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30';
const LENGTHS = lengths();
const FIRST_LETTERS: ReadonlySet<number> = new Set(REGISTRY.split(' ').map((country) => country.charCodeAt(0)));

import { GatewayFault } from '../../core/fault.ts';

/** How octets are spelled in one part of a request target (RFC 3986 sections 2.1 and 3). */
export interface Spelling {
  /** For messages: `path`, `query`. */
  readonly part: string;
  /** Characters that may stand for themselves. Whatever else comes unescaped is outside the grammar. */
  readonly raw: ReadonlySet<string>;
  /** Characters whose escapes are undone in the canonical spelling. */
  readonly unescaped: ReadonlySet<string>;
  /** Characters that are escaped in the canonical spelling. */
  readonly escaped: string;
  /** Characters that are read as a space (application/x-www-form-urlencoded). */
  readonly space: string;
}

export interface Spelled {
  /** ASCII. Read again it stays as it is. */
  readonly canonical: string;
  /** Decoded once. */
  readonly decoded: string;
}

/**
 * Reads one piece of a request target, decodes it once and gives it its canonical spelling. Faults: `protocol-violation` for characters outside
 * the grammar and malformed escapes, `unclassified` where the octets are not UTF-8 (RFC 3629: no overlong forms, no surrogates).
 */
export function respell(text: string, spelling: Spelling): Spelled {
  if (UNRESERVED.test(text)) return { canonical: text, decoded: text };
  let canonical = '';
  const octets = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!;
    if (character === '%') {
      const octet = hexOctet(text, at + 1);
      if (octet === undefined) throw outsideGrammar(spelling, 'a "%" without two hex digits after it');
      const meant = String.fromCharCode(octet);
      canonical += spelling.unescaped.has(meant) ? meant : escapeOf(octet);
      octets[length++] = octet;
      at += 2;
    } else if (spelling.raw.has(character)) {
      canonical += spelling.escaped.includes(character) ? escapeOf(character.charCodeAt(0)) : character;
      octets[length++] = spelling.space.includes(character) ? 0x20 : character.charCodeAt(0);
    } else {
      throw outsideGrammar(spelling, `a character that has to be escaped (${nameOf(character)})`);
    }
  }
  return { canonical, decoded: decode(octets.subarray(0, length), spelling) };
}

/** True where decoding once more would find another escape: `%` and two hex digits, or `%u` and four, as Microsoft's servers knew it. */
export function decodesTwice(decoded: string): boolean {
  for (let at = decoded.indexOf('%'); at >= 0; at = decoded.indexOf('%', at + 1)) {
    if (hexOctet(decoded, at + 1) !== undefined) return true;
    const unicode = decoded[at + 1]?.toLowerCase() === 'u';
    if (unicode && hexOctet(decoded, at + 2) !== undefined && hexOctet(decoded, at + 4) !== undefined) return true;
  }
  return false;
}

function decode(octets: Uint8Array, { part }: Spelling): string {
  try {
    return strictUtf8.decode(octets);
  } catch {
    throw new GatewayFault('unclassified', {
      publicMessage: `the ${part} of the request has escapes that are not valid UTF-8`,
      hint: 'Escape the UTF-8 form of each character.',
    });
  }
}

function hexOctet(text: string, at: number): number | undefined {
  const high = hexDigits.indexOf(text[at]?.toUpperCase() ?? ' ');
  const low = hexDigits.indexOf(text[at + 1]?.toUpperCase() ?? ' ');
  return high < 0 || low < 0 ? undefined : high * 16 + low;
}

function escapeOf(octet: number): string {
  return `%${hexDigits[octet >> 4]}${hexDigits[octet & 15]}`;
}

function nameOf(character: string): string {
  return character > ' ' && character <= '~' ? `"${character}"` : `code ${character.charCodeAt(0)}`;
}

function outsideGrammar({ part }: Spelling, problem: string): GatewayFault {
  return new GatewayFault('protocol-violation', {
    publicMessage: `the ${part} of the request has ${problem}`,
    hint: 'Escape it as RFC 3986 says.',
  });
}

/** RFC 3986 section 2.3: what stands for itself in every part. */
const UNRESERVED = /^[A-Za-z0-9._~-]*$/;
const hexDigits = '0123456789ABCDEF';
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The texts that a text may stand for: itself, and what escapes of URLs and of JSON, base64 and hexadecimal digits in it decode to, wherever they stand and in each
 * other, up to `LEVELS` deep. Undefined where they go deeper, or are more than `MOST`. Of bytes that are no text as a whole, stretches of text are taken, also with each byte
 * one less: so the service writes strings in keys of its index and of partitions (Azure/azure-cosmos-dotnet-v3, `StringPartitionKeyComponent.WriteForBinaryEncoding`).
 *
 * Not seen: what is encrypted, hashed, compressed or in pieces, numbers in binary, other encodings.
 */
export function decodedForms(text: string): readonly string[] | undefined {
  const forms = new Set([text]);
  let length = text.length;
  let latest: readonly string[] = [text];
  for (let level = 0; level < LEVELS && latest.length > 0; level += 1) {
    const found: string[] = [];
    for (const one of latest.flatMap(decodedOnce)) {
      if (forms.has(one)) continue;
      forms.add(one);
      found.push(one);
      length += one.length;
      if (length > MOST) return undefined;
    }
    latest = found;
  }
  return latest.length === 0 ? [...forms] : undefined;
}

function decodedOnce(text: string): readonly string[] {
  const found = [
    text.replaceAll(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) => lenient.decode(bytesOf(escapes.replaceAll('%', ''), HEX))),
    text.replaceAll(/\\(?:u([0-9A-Fa-f]{4})|(["\\/bfnrt]))/g, (_, unit: string | undefined, letter: string) =>
      unit === undefined ? (LETTERS.get(letter) ?? letter) : String.fromCharCode(Number.parseInt(unit, 16)),
    ),
  ];
  for (const digits of ENCODINGS) {
    for (const [run] of text.matchAll(digits.run))
      // What stands before it without anything between may be of the same alphabet.
      for (let from = 0; from < digits.group; from += 1) found.push(...textsOf(bytesOf(run.slice(from), digits)));
  }
  return found.filter((one) => one !== '');
}

function textsOf(bytes: Uint8Array): readonly string[] {
  const text = lenient.decode(bytes);
  if (!NO_TEXT.test(text)) return [text];
  const found = [text, lenient.decode(bytes.map((byte) => (byte === 0 || byte === 255 ? byte : byte - 1)))];
  // UTF-16 of ASCII.
  if (bytes.includes(0)) found.push(lenient.decode(bytes.filter((byte) => byte !== 0)));
  return found.map((one) => (one.match(STRETCHES) ?? []).join('\n'));
}

interface Digits {
  /** Where they stand. */
  readonly run: RegExp;
  /** By character code. */
  readonly values: Uint8Array;
  readonly bits: number;
  /** So many begin with a byte and end with one. */
  readonly group: number;
}

function digitsOf(alphabet: string, run: RegExp, bits: number, group: number): Digits {
  const values = new Uint8Array(128);
  for (let at = 0; at < alphabet.length; at += 1) values[alphabet.charCodeAt(at)] = at % 2 ** bits;
  return { run, values, bits, group };
}

/** Bits at the end that make no byte are left out. */
function bytesOf(text: string, { values, bits }: Digits): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * bits) / 8));
  let held = 0;
  let count = 0;
  let to = 0;
  for (let at = 0; at < text.length; at += 1) {
    held = (held << bits) | values[text.charCodeAt(at)]!;
    count += bits;
    if (count < 8) continue;
    count -= 8;
    bytes[to] = held >>> count;
    to += 1;
  }
  return bytes;
}

const lenient = new TextDecoder('utf-8', { ignoreBOM: true });
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const HEX = digitsOf('0123456789abcdef0123456789ABCDEF', /[0-9A-Fa-f]{12,}/g, 4, 2);
const ENCODINGS: readonly Digits[] = [
  digitsOf(`${letters}+/`, /[A-Za-z0-9+/]{8,}/g, 6, 4),
  digitsOf(`${letters}-_`, /[A-Za-z0-9_-]{8,}/g, 6, 4),
  HEX,
];
const LETTERS: ReadonlyMap<string, string> = new Map([
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);
const NO_TEXT = /[^\P{Cc}\t\n\r]|\ufffd/u;
/** Shorter ones stand in any bytes by chance. */
const STRETCHES = /[^\p{Cc}\ufffd]{6,}/gu;
const LEVELS = 8;
/** UTF-16 units, of all together. */
const MOST = 1_000_000;

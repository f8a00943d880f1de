import { createHash } from 'node:crypto';

/**
 * The values that nobody may see. Each holds marks that stand nowhere else, at its beginning and (where it is long enough) at its end, so
 * that half a value is found as well as a whole one. No mark is what a detector looks for: what hides them is where they come from.
 */
export const rowsOfCanaries = 6;

const letters = (row: number): string => 'bcdfgh'[row % 6]!.repeat(3);

export const canary = {
  secret: (row: number): string => `qzjxwv-${letters(row)}-vkyqzh`,
  ssn: (row: number): string => `973-46-${2100 + row * 7}`,
  code: (row: number): string => `KQZWVX${483_100 + row}`,
  tag: (row: number): string => `jkqvzx${letters(row)}`,
  blob: (row: number): string => `wqxkzv${letters(row)}`,
  street: (row: number): string => `zvqkjw ${letters(row)}`,
  documentSsn: (row: number): string => `974-58-${3100 + row * 7}`,
  documentSecret: (row: number): string => `xvqjzk${letters(row)}`,
  card: (row: number): string => `jwzqvk${letters(row)}kxwvqj`,
  uid: (row: number): string => `c4fe1ab2-9d37-4e1b-a6c0-00000000000${row}`,
  score: (row: number): string => `731948260${row}.25`,
  pin: (row: number): string => String(826_491_735_000 + row),
  born: (row: number): string => `1873-04-1${row}`,
} as const;

const marks: readonly (readonly [string, string])[] = [
  ['secret', 'qzjxwv'],
  ['secret', 'vkyqzh'],
  ['ssn', '973-46-2'],
  ['ssn', '9734621'],
  ['code', 'KQZWVX'],
  ['tags', 'jkqvzx'],
  ['blob', 'wqxkzv'],
  ['address', 'zvqkjw'],
  ['document', '974-58-3'],
  ['document', '9745831'],
  ['document', 'xvqjzk'],
  ['card', 'jwzqvk'],
  ['card', 'kxwvqj'],
  ['uid', 'c4fe1ab2'],
  ['uid', '9d374e1ba6c0'],
  ['score', '731948260'],
  ['pin', '826491735'],
  ['born', '1873-04-1'],
  ['born', '18730411'],
];

interface Form {
  readonly class: string;
  readonly bytes: Buffer;
}

/** The first canary in `bytes`, in any of its forms; undefined where there is none. */
export function findCanary(bytes: Buffer): { readonly class: string; readonly at: number } | undefined {
  for (const form of forms) {
    const at = bytes.indexOf(form.bytes);
    if (at >= 0) return { class: form.class, at };
  }
  return undefined;
}

/** Marks of values that only the fuzzer itself writes into statements: what it knows already may come back, but may not go on record. */
export const literalMark = 'lqzwkjx';

export function holdsLiteral(bytes: Buffer): boolean {
  return spellings(literalMark).some((form) => bytes.includes(form));
}

function spellings(mark: string): Buffer[] {
  const cases = [mark, mark.toUpperCase(), mark.toLowerCase()];
  const texts = new Set([...cases, ...cases.map(reversed)]);
  const found: Buffer[] = [];
  for (const one of texts) {
    const plain = Buffer.from(one);
    const hex = plain.toString('hex');
    found.push(plain, Buffer.from(hex), Buffer.from(hex.toUpperCase()));
    found.push(Buffer.from(one, 'utf16le'), Buffer.from(one, 'utf16le').swap16());
    found.push(
      each(one, (code) => `%${hexOf(code)}`),
      each(one, (code) => `%${hexOf(code).toUpperCase()}`),
    );
    found.push(
      each(one, (code) => `\\u00${hexOf(code)}`),
      each(one, (code) => `\\${code.toString(8).padStart(3, '0')}`),
    );
    found.push(each(one, (code) => `&#${code};`));
    for (let shift = 0; shift < 3; shift++) {
      const base64 = Buffer.concat([Buffer.alloc(shift), plain, Buffer.alloc(2)]).toString('base64');
      // Only characters that depend on the mark alone.
      found.push(Buffer.from(base64.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + plain.length) * 8) / 6))));
    }
  }
  return found;
}

function reversed(text: string): string {
  return Array.from(text).toReversed().join('');
}

function each(text: string, spelled: (code: number) => string): Buffer {
  return Buffer.from(Array.from(text, (character) => spelled(character.charCodeAt(0))).join(''));
}

function hexOf(code: number): string {
  return code.toString(16).padStart(2, '0');
}

/** Digests of whole values: who can guess can check. */
function digests(): Form[] {
  const texts = Object.entries(canary).flatMap(([name, value]) =>
    Array.from({ length: rowsOfCanaries }, (_, row) => [name, value(row)] as const),
  );
  return texts.flatMap(([name, value]) =>
    ['md5', 'sha256'].flatMap((algorithm) => {
      const digest = createHash(algorithm).update(value).digest();
      return [digest, Buffer.from(digest.toString('hex'))].map((bytes) => ({ class: `digest of ${name}`, bytes }));
    }),
  );
}

/** numeric, int8, date and uuid as their send functions write them. */
function binaries(): Form[] {
  const found: Form[] = [
    { class: 'score', bytes: Buffer.from('0049079c0a', 'hex') },
    { class: 'uid', bytes: Buffer.from('c4fe1ab29d37', 'hex') },
  ];
  for (let row = 0; row < rowsOfCanaries; row++) {
    const pin = Buffer.alloc(8);
    pin.writeBigInt64BE(BigInt(canary.pin(row)));
    const born = Buffer.alloc(4);
    born.writeInt32BE(Math.round((Date.parse(canary.born(row)) - Date.parse('2000-01-01')) / 86_400_000));
    found.push({ class: 'pin', bytes: pin }, { class: 'born', bytes: Buffer.concat([Buffer.from([0, 0, 0, 4]), born]) });
  }
  return found;
}

const forms: readonly Form[] = [
  ...marks.flatMap(([name, mark]) => spellings(mark).map((bytes) => ({ class: name, bytes }))),
  ...digests(),
  ...binaries(),
];

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { decodedForms } from './decoded-forms.ts';

const value = '219-09-9999';
const holds = (text: string): boolean => decodedForms(text)?.some((form) => form.includes(value)) === true;
const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64');
const base64url = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');
const json = (text: string): string => JSON.stringify({ item: text });
const percent = (text: string): string => [...Buffer.from(text)].map((byte) => `%${byte.toString(16)}`).join('');
const escaped = (text: string): string => text.replaceAll(/./g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
/** A string as keys of the index have it: a byte that says so, each byte one more, an end. */
const asKey = (text: string): Uint8Array => Buffer.from([0x08, ...Buffer.from(text).map((byte) => byte + 1), 0x00]);
const between = (bytes: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from([0xc1, 0x80, 0x05, 0xff]), bytes, Buffer.from([0x00, 0xfe, 0x99])]);

describe('a value is found', () => {
  for (const [how, text] of [
    ['as it is', `+RID:~x#RT:1#${value}`],
    ['in base64', `-RID:~zct#RT:1#TRC:2#RTD:${base64(json(value))}#ISV:2`],
    ['in base64 without its padding', `RTD:${base64(json(value)).replace(/=+$/, '')}#ISV:2`],
    ['in base64url', `#RTD:${base64url(`~~~???>>>${value}`)}#`],
    ...['', 'a', 'ab', 'abc'].map((before) => [`in base64 right behind ${before.length} letters`, `:${before}${base64(value)}`] as const),
    ['in escapes of URLs', percent(value)],
    ['in escapes of JSON', `{"item":"${escaped(value)}"}`],
    ['in JSON in JSON', JSON.stringify(JSON.stringify(json(`x\\"${escaped(value)}`)))],
    ['in base64 in JSON in base64', base64(json(base64url(json(value))))],
    ['in JSON, whose slashes are escaped, with base64 in it', `{"t":"${base64(`???${value}`).replaceAll('/', '\\/')}"}`],
    ['in base64 whose signs are escaped for URLs', encodeURIComponent(base64(`>>>???${value}~`))],
    ['in escapes of URLs in base64 in escapes of URLs', percent(base64(percent(value)))],
    ['in hexadecimal digits', `05C1${Buffer.from(value).toString('hex').toUpperCase()}FF`],
    ['in hexadecimal digits from the middle of a byte', `A${Buffer.from(value).toString('hex')}`],
    ['among bytes that are no text', base64(between(Buffer.from(value)))],
    ['in UTF-16', base64(between(Buffer.from(value, 'utf16le')))],
    ['in a key of the index, in base64', `#RTD:${base64(between(asKey(value)))}`],
    ['in a key of a partition', `{"min":"05C1DF${Buffer.from(asKey(value)).toString('hex')}","max":"FF"}`],
  ] as const)
    test(how, () => assert.ok(holds(text), text));

  test('beyond ASCII as well', () => {
    assert.ok(decodedForms(`RTD:${base64(json('Größe 42'))}`)?.some((form) => form.includes('Größe 42')));
  });
});

test('a text that stands for nothing else is itself alone', () => assert.deepEqual(decodedForms('next'), ['next']));

const nested = (levels: number): string => (levels === 0 ? value : base64(nested(levels - 1)));

test('anything has forms, or too many of them; and none takes long', () => {
  for (let size = 0; size < 600; size += 7) {
    const bytes = randomBytes(size);
    for (const text of [bytes.toString('latin1'), base64(bytes), bytes.toString('hex'), percent(bytes.toString('latin1'))])
      assert.ok(decodedForms(text));
  }
  assert.ok(decodedForms(nested(7)) !== undefined);
  for (const levels of [8, 9, 10, 20, 40]) assert.ok(decodedForms(nested(levels)) === undefined, String(levels));
  assert.ok(decodedForms('%25'.repeat(5_000)));
});

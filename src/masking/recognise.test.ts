import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { compileDetectors } from './detect.ts';
import type { RecogniserName } from './types.ts';

/** What one recogniser finds in a text, as text. */
function found(name: RecogniserName, text: string, hint?: string): string[] {
  const set = compileDetectors([{ name, detect: [{ kind: 'recogniser', name }] }]);
  const spans = set.scan(text, hint).map((span) => text.slice(span.start, span.end));
  const bytes = Buffer.from(text);
  if (spans.length > 0) assert.ok(set.mayContain(bytes, 0, bytes.length), `the prefilter rules out ${JSON.stringify(text)}`);
  if (spans.length > 0) assert.ok(set.mayContainText(text), `the prefilter of texts rules out ${JSON.stringify(text)}`);
  return spans;
}

function finds(name: RecogniserName, values: readonly string[]): void {
  for (const value of values) {
    it(`finds ${JSON.stringify(value)}`, () => {
      assert.deepEqual(found(name, value), [value]);
      assert.deepEqual(found(name, `before ${value}, after`), [value]);
    });
  }
}

function ignores(name: RecogniserName, values: readonly string[]): void {
  for (const value of values) it(`does not take ${JSON.stringify(value)} for one`, () => assert.deepEqual(found(name, value), []));
}

const fullWidth = (text: string): string =>
  Array.from(text, (character) => String.fromCharCode(character.charCodeAt(0) + (character === ' ' ? 0 : 0xfee0))).join('');

describe('card-number', () => {
  finds('card-number', [
    '4111111111111111',
    '4111 1111 1111 1111',
    '4111-1111-1111-1111',
    '4111.1111.1111.1111',
    '4111 - 1111 1111 1111'.replace(' - ', '- '),
    '5555555555554444',
    '2223003122003222',
    '378282246310005',
    '3782 822463 10005',
    '6011111111111117',
    '30569309025904',
    '3530111333300000',
    '6200000000000005',
    '6304000000000000',
    '4222222222222',
    '4000000000000000006',
    fullWidth('4111111111111111'),
    '٤١١١١١١١١١١١١١١١',
    '4111\u00a01111\u00a01111\u00a01111',
    '4111\u20111111\u20111111\u20111111',
    '4\u200b1\u200c1\u200d1\u2060111\ufeff111111111',
    '4\u03361\u03361\u03361\u0336111111111111',
    '𝟜𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙',
  ]);
  ignores('card-number', [
    '4111111111111112',
    '0000000000000000',
    '9111111111111111',
    '411111111111',
    '41111111111111111111',
    '2024-01-15 10:11:12',
    '4111_1111_1111_1111',
    '4111   1111   1111   1111',
    '',
  ]);

  it('finds a number among other groups of digits', () => {
    assert.deepEqual(found('card-number', 'order 17 4111 1111 1111 1111 12/29'), ['4111 1111 1111 1111']);
    assert.deepEqual(found('card-number', 'x4111111111111111y4012888888881881'), ['4111111111111111', '4012888888881881']);
  });

  it('finds every generated number of every network, however it is grouped', () => {
    const prefix = fc.constantFrom('4', '51', '55', '2221', '2720', '34', '37', '6011', '65', '3528', '62');
    fc.assert(
      fc.property(
        prefix,
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 20, maxLength: 20 }),
        fc.infiniteStream(fc.constantFrom('', ' ', '-', '.')),
        (start, digits, gaps) => {
          const length = start === '34' || start === '37' ? 15 : 16;
          const body = (start + digits.join('')).slice(0, length - 1);
          const number = body + luhnDigit(body);
          const grouped = Array.from(number, (digit, index) => digit + (index < number.length - 1 ? gaps.next().value : '')).join('');
          assert.deepEqual(found('card-number', grouped), [grouped]);
        },
      ),
    );
  });
});

describe('us-ssn', () => {
  finds('us-ssn', [
    '123-45-6789',
    '123 45 6789',
    '123.45.6789',
    '123 - 45 - 6789',
    '899-99-9999',
    fullWidth('123-45-6789'),
    '1\u200b23-45-6789',
  ]);
  ignores('us-ssn', [
    '000-45-6789',
    '666-45-6789',
    '900-45-6789',
    '999-99-9999',
    '123-00-6789',
    '123-45-0000',
    '1123-45-6789',
    '123-45-67890',
    '1-123-45-6789',
    '123-45-6789-1',
    '123456789',
    '12-345-6789',
    '123/45/6789',
  ]);

  it('takes nine digits only where something says so', () => {
    assert.deepEqual(found('us-ssn', 'SSN: 123456789'), ['123456789']);
    assert.deepEqual(found('us-ssn', '{"customer_ssn":"123456789"}'), ['123456789']);
    assert.deepEqual(found('us-ssn', '{"customerSsn":123456789}'), ['123456789']);
    assert.deepEqual(found('us-ssn', 'social security number 123456789'), ['123456789']);
    assert.deepEqual(found('us-ssn', '123456789 (SSN)'), ['123456789']);
    assert.deepEqual(found('us-ssn', '123456789', 'ssn'), ['123456789']);
    assert.deepEqual(found('us-ssn', '123456789', 'order_id'), []);
    assert.deepEqual(found('us-ssn', 'SSN: 000456789'), []);
    assert.deepEqual(found('us-ssn', `ssn ${'.'.repeat(60)} 123456789`), []);
  });

  it('finds each of several', () => {
    assert.deepEqual(found('us-ssn', '123-45-6789 219-09-9999,078-05-1120'), ['123-45-6789', '219-09-9999', '078-05-1120']);
  });
});

describe('aba-routing', () => {
  finds('aba-routing', ['021000021', '011401533', '091000019', '322271627', '800000006'.replace('800000006', '021000089'), '0210-0002-1']);
  ignores('aba-routing', ['021000022', '000000000', '130000006', '991000019', '0210000210', '21000021', '021 000 021']);
});

describe('iban', () => {
  finds('iban', [
    'DE89370400440532013000',
    'DE89 3704 0044 0532 0130 00',
    'GB82 WEST 1234 5698 7654 32',
    'gb82west12345698765432',
    'FR14 2004 1010 0505 0001 3M02 606',
    'NO9386011117947',
    'MT84MALT011000012345MTLCAST001S',
    'BH67BMAG00001299123456',
    'CH93-0076-2011-6238-5295-7',
    'G\u200bB82 WEST 1234 5698 7654 32',
    fullWidth('DE89370400440532013000'),
  ]);
  ignores('iban', [
    'DE89370400440532013001',
    'DE8937040044053201300',
    'DE893704004405320130000',
    'XX82WEST12345698765432',
    'ADE89370400440532013000',
    'DE89  3704 0044 0532 0130 00',
    'GB82',
  ]);
});

describe('email', () => {
  finds('email', [
    'a@example.com',
    'first.last+tag@sub.example.co.uk',
    'x_y@a-b.example',
    "o'brien@example.org",
    'müller@bücher.example',
    'user@xn--bcher-kva.xn--p1ai',
    'a＠example.com',
    'a@exam\u200bple.com',
  ]);
  ignores('email', ['a@b', '@example.com', 'a@', 'a@example.c', 'a@example.123', 'a@-example.com', 'a @ example.com', 'a@.com']);

  it('leaves the full stop of a sentence and the bracket out', () => {
    assert.deepEqual(found('email', 'Write to <a@example.com>. Or b@example.org.'), ['a@example.com', 'b@example.org']);
  });
});

describe('phone', () => {
  finds('phone', [
    '+1 212 555 1234',
    '(212) 555-1234',
    '212-555-1234',
    '212.555.1234',
    '2125551234',
    '+44 20 7946 0958',
    '+4930901820',
    '+33 1 42 68 53 00',
  ]);
  ignores('phone', [
    '123-456-7890',
    '2024-01-15 10:11',
    '1700000000',
    '555-1234',
    '112-555-1234',
    '212-155-1234',
    '+999 123 456',
    '12345678901234567',
  ]);

  it('finds numbers with a trunk digit', () => {
    assert.deepEqual(found('phone', 'call 1-212-555-1234 now'), ['1-212-555-1234']);
    assert.deepEqual(found('phone', '1 (212) 555-1234'), ['1 (212) 555-1234']);
  });
});

function luhnDigit(body: string): number {
  let sum = 0;
  for (const [index, digit] of Array.from(body).reverse().entries()) {
    const doubled = Number(digit) * (index % 2 === 0 ? 2 : 1);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return (10 - (sum % 10)) % 10;
}

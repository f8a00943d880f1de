import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { boundaryOf, formPart, partsOf, possibleNames } from './multipart.ts';

const type = (value: string) => [{ name: 'content-type', value }];
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const form =
  '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\nContent-Type: text/csv\r\n\r\n\r\n--b--\r\n';

it('a boundary is one, of the characters that RFC 2046 allows', () => {
  assert.equal(boundaryOf(type('multipart/form-data; boundary=b')), 'b');
  assert.equal(boundaryOf(type('multipart/form-data; charset=x; BOUNDARY="a b:c"')), 'a b:c');
  for (const bad of [
    'multipart/form-data',
    'multipart/form-data; boundary=a; boundary=b',
    'multipart/form-data; boundary=""',
    'multipart/form-data; boundary="a "',
  ]) {
    assert.equal(boundaryOf(type(bad)), undefined, bad);
  }
});

describe('the parts of a body', () => {
  it('are told with their fields and their content', () => {
    const body = bytes(form);
    const parts = partsOf(body, 'b') ?? assert.fail();
    assert.deepEqual(
      parts.map((part) => [formPart(part), new TextDecoder().decode(body.subarray(part.start, part.end))]),
      [
        [{ name: 'a', isFile: false }, '1'],
        [{ name: 'f', isFile: true }, ''],
      ],
    );
  });

  it('may have no fields, and nothing in them', () => {
    assert.deepEqual(partsOf(bytes('--b\r\n\r\n\r\n--b--'), 'b'), [{ fields: [], start: 7, end: 7 }]);
  });

  it('are not told where readers would disagree', () => {
    for (const bad of [
      '',
      'preamble\r\n--b\r\n\r\n1\r\n--b--',
      form.replaceAll('\r\n', '\n'),
      form.replace('--b--\r\n', ''),
      `${form}epilogue`,
      form.replace('--b\r\nContent-Disposition: form-data; name="f"', '--b \r\nContent-Disposition: form-data; name="f"'),
      form.replace('Content-Type', 'Content-Disposition'),
      form.replace('Content-Type', 'Content Type'),
      form.replace('name="a"\r\n', 'name="a"\r\n folded\r\n'),
    ]) {
      assert.equal(partsOf(bytes(bad), 'b'), undefined, JSON.stringify(bad));
    }
  });

  it('have a name where it is one', () => {
    const named = (disposition: string) => formPart({ fields: [{ name: 'content-disposition', value: disposition }], start: 0, end: 0 });
    assert.deepEqual(named('form-data; name=a'), { name: 'a', isFile: false });
    for (const bad of [
      'form-data',
      'form-data; name="a"; name="b"',
      "form-data; name*=utf-8''a",
      'form-data; name="a\\"b"',
      'attachment; name="a"',
    ]) {
      assert.equal(named(bad), undefined, bad);
    }
  });

  it('of any bytes: places inside of the body, in order, or nothing', () => {
    const text = fc
      .array(fc.constantFrom('--b', '\r\n', '--', 'x', ':', 'Content-Disposition: form-data; name="a"', '\r\n\r\n', '\0'))
      .map((all) => all.join(''));
    fc.assert(
      fc.property(fc.oneof(text, fc.string()), (body) => {
        const parts = partsOf(bytes(body), 'b') ?? [];
        let at = 0;
        for (const { start, end } of parts) {
          assert.ok(start >= at && end >= start && end <= bytes(body).length);
          at = end;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

it('names that some reader could find are found, however the body is broken', () => {
  for (const part of ['name="_method"', 'name=_method', "name*=utf-8''_method", 'NAME = "_method"', 'name*="_method"']) {
    assert.ok(possibleNames(bytes(`--x\nContent-Disposition: form-data; ${part}\n\nDELETE`)).includes('_method'), part);
  }
});

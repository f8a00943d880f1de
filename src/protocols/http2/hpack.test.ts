import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { HpackDecoder, type DecodedField } from './hpack-decoder.ts';
import { HpackEncoder, type RequestHead } from './hpack-encoder.ts';
import { Http2Violation } from './violation.ts';

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const pairs = (decoded: readonly DecodedField[] | undefined): readonly string[] =>
  (decoded ?? assert.fail('too long')).map(({ field }) => `${field.name}: ${field.value}`);
/** Reads blocks one after the other, as on a connection. */
const readAll = (...blocks: string[]): readonly (readonly string[])[] => {
  const decoder = new HpackDecoder();
  return blocks.map((block) => pairs(decoder.read(bytes(block))));
};
const fails = (hex: string, decoder = new HpackDecoder()): void =>
  assert.throws(
    () => decoder.read(bytes(hex)),
    (error: unknown) => error instanceof Http2Violation && error.code === 0x9,
  );

const firstRequest = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
const requests = [
  firstRequest,
  [...firstRequest, 'cache-control: no-cache'],
  [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com', 'custom-key: custom-value'],
];
const location = 'location: https://www.example.com';
const answers = [
  [':status: 302', 'cache-control: private', 'date: Mon, 21 Oct 2013 20:13:21 GMT', location],
  [':status: 307', 'cache-control: private', 'date: Mon, 21 Oct 2013 20:13:21 GMT', location],
  [
    ':status: 200',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:22 GMT',
    location,
    'content-encoding: gzip',
    'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ],
];
/** The examples of answers have a table of 256 octets. */
const smallTable = '3fe101';

/** All octets in their order, in the Huffman code, as Python's hpack writes them. */
const allOctets = [
  'ffc7fffd8fffffe2fffffe3fffffe4fffffe5fffffe6fffffe7fffffe8ffffeafffffff3fffffa7fffffabffffffdfffffebfffffecfffffedfffffeefffffefffffff0fffff',
  'f1ffffff2fffffffbfffffcffffffd3fffffd7fffffdbfffffdffffffe3fffffe7fffffebfffffed4fe3f9ffaffcabf1febfafefe7fdfd2cbb00089969b71d79fb9f7fff20ff',
  'bff3ff50ddbd7f061c58f265cd9f469d5af66dddbf871e5f9cff7ff7fffc3ff9ffe45fff4719242cb34e6e9d68a6a3d7dac426defe3cfaf7fffbfe7ffbffdffffffcfffe6fff',
  'f4bfff9ffffa3fffd3ffff53fffd5ffffb3fffeb7fffdaffffb7ffff73fffeeffffdeffffebffffbfffffd9ffffdbfffebffffe0ffffeeffffc3ffff8bffff1ffffe4fffee7f',
  'ffb1ffff97fffd9ffffcdffff9fffffbffffdafffeeffff4ffffb7fffee7fffe8ffffd3fffdeffffd5fffeeffffbdffffe1fffdfffff7fffff5ffffecffff07fff87fffe0fff',
  'f17fffedffff87ffff77fffeffffeaffff8bfffe3ffff93ffff87fffcbffff37ffff1fffff83ffffe1fffebfffe3ffff3fffff2ffffa3ffffd9fffff17ffffc7fffff27ffffd',
  'efffffbffffff2fffff8fffffb7fff97fff8fffffe6fffffc1fffff87ffffe7fffffc5ffffe5fffe4ffff2fffffd1fffff4ffffffefffffe3fffffc9fffff97fffb3ffffcfff',
  'fb7fffcdffff4ffff9ffffd1ffffcffffeaffffafffffddffffeffffff4fffff5fffffabffffa7ffffd7fffff9bffffecfffffb7fffff3fffffe8fffffd3fffffabfffff5fff',
  'ffff7ffffecfffffdbfffffbbfffff7ffffff0fffffbbf',
].join('');

describe('header blocks', () => {
  it('are read as the examples of RFC 7541 (C.2 to C.6) say', () => {
    assert.deepEqual(readAll('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'), [['custom-key: custom-header']]);
    assert.deepEqual(readAll('040c 2f73 616d 706c 652f 7061 7468'), [[':path: /sample/path']]);
    assert.deepEqual(readAll('1008 7061 7373 776f 7264 0673 6563 7265 74'), [['password: secret']]);
    assert.deepEqual(readAll('82'), [[':method: GET']]);
    assert.deepEqual(
      readAll(
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ),
      requests,
    );
    assert.deepEqual(
      readAll(
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ),
      requests,
    );
    assert.deepEqual(
      readAll(
        `${smallTable} 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        '4803 3330 37c1 c0bf',
        '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
      ),
      answers,
    );
    assert.deepEqual(
      readAll(
        `${smallTable} 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
        '4883 640e ffc1 c0bf',
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ),
      answers,
    );
  });

  it('have any octet in the Huffman code', () => {
    const octets = Array.from({ length: 256 }, (_, octet) => String.fromCharCode(octet)).join('');
    // 583 octets of code.
    assert.deepEqual(readAll(`00 01 78 ff c803 ${allOctets}`), [[`x: ${octets}`]]);
  });

  it('that end too early are refused, wherever that is', () => {
    const whole = bytes(
      '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
    );
    // Between two fields a block may end.
    const ends = new Set([0, 4, 11, 35, whole.length]);
    for (let length = 0; length <= whole.length; length += 1) {
      const read = (): unknown => new HpackDecoder().read(whole.subarray(0, length));
      if (ends.has(length)) read();
      else assert.throws(read, Http2Violation, `${length}`);
    }
  });

  it('with an index of no field, a number without end, or a table that is too large or changes behind a field, are refused', () => {
    fails('80');
    fails('be');
    fails('ffffffffffffffff7f');
    fails('ff');
    fails('0085');
    fails('3fe21f');
    fails('8220');
    assert.deepEqual(readAll('3fe11f 20 3fe11f 82'), [[':method: GET']]);
  });

  it('whose strings have wrong padding, or the end of the string in them, are refused', () => {
    assert.deepEqual(readAll('0081 07 00'), [['0: ']]);
    // Zeros, eight ones, thirty ones.
    fails('0081 00 00');
    fails('0082 07ff 00');
    fails('0084 ffffffff 00');
  });

  it('forget what no longer fits into the table', () => {
    const decoder = new HpackDecoder();
    decoder.read(bytes('4001 61 01 62'));
    assert.deepEqual(pairs(decoder.read(bytes('be'))), ['a: b']);
    decoder.read(bytes('20'));
    fails('be', decoder);
    const other = new HpackDecoder();
    other.read(bytes('4001 61 01 62'));
    // An entry of 4,097 octets.
    other.read(Buffer.concat([bytes('4001 62 7f e11e'), Buffer.alloc(4_064, 'x')]));
    fails('be', other);
  });

  it('of more fields, or more octets, than are taken are read to their end and given to nobody', () => {
    const decoder = new HpackDecoder();
    const field = bytes('4001 61 01 62');
    assert.equal(decoder.read(Buffer.concat([field, Buffer.alloc(255, 0xbe)]))?.length, 256);
    assert.equal(decoder.read(Buffer.alloc(257, 0xbe)), undefined);
    assert.equal(decoder.read(Buffer.concat([Buffer.alloc(300, 0xbe), bytes('4001 63 01 64')])), undefined);
    assert.deepEqual(pairs(decoder.read(bytes('be'))), ['c: d']);
    decoder.read(Buffer.concat([bytes('4001 62 7f e10e'), Buffer.alloc(2_016, 'x')]));
    assert.equal(decoder.read(Buffer.alloc(31, 0xbe))?.length, 31);
    assert.equal(decoder.read(Buffer.alloc(33, 0xbe)), undefined);
  });

  it('of any octets are read, or refused', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 4 }), (blocks) => {
        const decoder = new HpackDecoder();
        try {
          for (const block of blocks) decoder.read(block);
        } catch (error) {
          assert.ok(error instanceof Http2Violation);
        }
      }),
      { numRuns: 20_000 },
    );
  });
});

const head: RequestHead = {
  method: 'POST',
  scheme: 'http',
  authority: 'ledger:50051',
  path: '/bank.v1.Ledger/Get',
  fields: [
    { name: 'te', value: 'trailers' },
    { name: 'content-type', value: 'application/grpc' },
    { name: 'user-agent', value: 'grpc-node-js/1.14.7' },
  ],
};
const written = (of: RequestHead): readonly string[] => [
  `:method: ${of.method}`,
  `:scheme: ${of.scheme}`,
  `:authority: ${of.authority}`,
  `:path: ${of.path}`,
  ...of.fields.map(({ name, value }) => `${name}: ${value}`),
];
const text = (block: Uint8Array | undefined): string => Buffer.from(block ?? assert.fail('not written')).toString('latin1');

describe('the head of a request', () => {
  it('is one octet for each field that repeats', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    assert.deepEqual(pairs(decoder.read(encoder.write(head)!)), written(head));
    const again = encoder.write(head)!;
    assert.equal(again.length, 7);
    assert.deepEqual(pairs(decoder.read(again)), written(head));
  });

  it('has credentials, and whatever else may be a caller’s own, as literals that are never kept: their length is always the same', () => {
    const encoder = new HpackEncoder();
    encoder.write(head);
    for (const name of ['authorization', 'cookie', 'x-api-key', 'api-key', 'x-tenant', 'grpc-timeout']) {
      const of = { ...head, fields: [{ name, value: 'secret' }] };
      const [first, second] = [text(encoder.write(of)), text(encoder.write(of))];
      assert.equal(first, second);
      assert.ok(first.endsWith('\x06secret'));
      assert.equal(first.charCodeAt(4) & 0xf0, 0x10, name);
    }
    for (const path of ['/find?ssn=536-90-4399', '/customers/536-90-4399', '/bank.v1.Ledger/Get?ssn=536-90-4399', '/bank.v1/536-90-4399']) {
      const asked = { ...head, path };
      assert.equal(text(encoder.write(asked)), text(encoder.write(asked)));
      assert.ok(text(encoder.write(asked)).includes('536-90-4399'), path);
    }
  });

  it('that cannot be one is not written, and changes nothing', () => {
    const encoder = new HpackEncoder();
    const fields = (name: string, value: string): Partial<RequestHead> => ({ fields: [...head.fields, { name, value }] });
    for (const more of [
      { path: '/a b' },
      { path: '' },
      { authority: 'a\r\nb' },
      { method: 'GE T' },
      fields('X-Capital', 'a'),
      fields('', 'a'),
      fields(':path', '/b'),
      fields('a', 'b\r\nc: d'),
      fields('a', 'b\0'),
      fields('a', ' b'),
      fields('a', 'b\t'),
      fields('connection', 'close'),
      fields('transfer-encoding', 'chunked'),
      fields('te', 'gzip'),
      fields('a', 'Ā'),
    ]) {
      assert.equal(encoder.write({ ...head, ...more }), undefined, JSON.stringify(more));
    }
    assert.deepEqual(pairs(new HpackDecoder().read(encoder.write(head)!)), written(head));
  });

  it('is understood with whatever size of table the target wants, in whatever order', () => {
    const token = fc.stringMatching(/^[a-z0-9-]{1,40}$/);
    const field = fc.record({
      name: fc.constantFrom('te', 'accept', 'user-agent', 'content-type', 'authorization', 'x-own'),
      value: fc.oneof(fc.constantFrom('trailers'), token, fc.stringMatching(/^[!-~]{1,300}$/)),
    });
    const request = fc.record({
      path: fc.oneof(
        fc.constantFrom('/a/B', '/c/D'),
        token.map((name) => `/${name}`),
      ),
      fields: fc.array(field, { maxLength: 12 }),
    });
    const step = fc.record({ sizes: fc.array(fc.constantFrom(0, 40, 100, 500, 4_096, 65_536), { maxLength: 3 }), request });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const [encoder, decoder] = [new HpackEncoder(), new HpackDecoder()];
        for (const { sizes, request: more } of steps) {
          for (const size of sizes) encoder.allow(size);
          const of = { ...head, ...more, fields: more.fields.filter(({ name, value }) => name !== 'te' || value === 'trailers') };
          assert.deepEqual(pairs(decoder.read(encoder.write(of)!)), written(of));
        }
      }),
    );
  });

  it('is longer than a frame where it must be', () => {
    const of = { ...head, fields: Array.from({ length: 50 }, () => ({ name: 'x-long', value: 'v'.repeat(500) })) };
    assert.deepEqual(pairs(new HpackDecoder().read(new HpackEncoder().write(of)!)), written(of));
  });
});

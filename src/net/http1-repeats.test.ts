import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Repeats } from './http1-repeats.ts';

const get = 'GET /a HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer abc\r\n\r\n';

/** The parser tells of requests without a body (`true`) or with one. */
function reads(repeats: Repeats<string>, piece: string, ...told: readonly boolean[]): string | undefined {
  repeats.reading(Buffer.from(piece, 'latin1'));
  for (const isWhole of told) repeats.told(isWhole);
  return repeats.read();
}

function learned(): Repeats<string> {
  const repeats = new Repeats<string>();
  repeats.keep(reads(repeats, get, true)!, 'a');
  return repeats;
}

const find = (repeats: Repeats<string>, piece: string): string | undefined => repeats.find(Buffer.from(piece, 'latin1'));

describe('a repeated request', () => {
  it('is recognised where it is the same byte for byte', () => {
    const repeats = learned();
    assert.equal(find(repeats, get), 'a');
    assert.equal(find(repeats, get), 'a', 'again');
    for (const other of [get.replace('abc', 'abd'), get.replace('/a', '/A'), `${get} `, ` ${get}`, get.slice(0, -2), `${get}${get}`])
      assert.equal(find(repeats, other), undefined, other);
  });

  it('is not recognised where its bytes are those of a body', () => {
    const repeats = learned();
    assert.equal(reads(repeats, `POST / HTTP/1.1\r\nHost: gw\r\nContent-Length: ${get.length}\r\n\r\n`, false), undefined);
    assert.equal(find(repeats, get), undefined);
    reads(repeats, get);
    assert.equal(find(repeats, get), undefined, 'nothing tells that the body is over');
    reads(repeats, get.replace('/a', '/b'), true);
    assert.equal(find(repeats, get), 'a', 'a request without a body is over where it ends');
  });

  it('is not recognised behind the beginning of another head', () => {
    const repeats = learned();
    reads(repeats, 'POST / HTTP/1.1\r\nX: y');
    assert.equal(find(repeats, get), undefined);
  });

  it('is not recognised behind a piece that the parser made nothing of', () => {
    const repeats = learned();
    reads(repeats, '0\r\n\r\n');
    assert.equal(find(repeats, get), undefined, 'the last chunk, or one in the middle');
  });

  it('is not recognised behind a request of several in one piece, one of which has a body', () => {
    const repeats = learned();
    reads(repeats, `POST / HTTP/1.1\r\nHost: gw\r\nContent-Length: 1\r\n\r\nx${get}`, false, true);
    assert.equal(find(repeats, get), undefined);
  });

  it('is recognised behind several without a body, and none of those is kept', () => {
    const repeats = learned();
    assert.equal(reads(repeats, `${get}${get}`, true, true), undefined);
    assert.equal(find(repeats, get), 'a');
  });
});

describe('a request', () => {
  it('is kept only where it came as one piece, and was nothing but a head', () => {
    assert.equal(typeof reads(new Repeats(), get, true), 'string');
    assert.equal(reads(new Repeats(), get, false), undefined, 'it has a body, or is the last one on its connection');
    assert.equal(reads(new Repeats(), get), undefined, 'the parser did not tell of it');
    const repeats = new Repeats<string>();
    reads(repeats, get.slice(0, 20));
    assert.equal(reads(repeats, get.slice(20), true), undefined, 'only its second half');
    assert.equal(reads(new Repeats(), `${get}x`, true), undefined);
  });

  it('is not kept where it is long', () => {
    const long = get.replace('abc', 'a'.repeat(9_000));
    assert.equal(reads(new Repeats(), long, true), undefined);
  });

  it('is kept with fifteen others at most', () => {
    const repeats = learned();
    for (let index = 0; index < 16; index += 1) repeats.keep(`${index}`, 'x');
    assert.equal(find(repeats, get), undefined);
  });
});

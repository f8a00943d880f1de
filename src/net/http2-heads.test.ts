import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkedHead, type CheckedHead, type RawHead } from '../protocols/http/index.ts';
import { requestProtocols } from '../protocols/registry.ts';
import { Http2Heads } from './http2-heads.ts';

/** Whose head is found again, and what of it is kept. */

const dialect = requestProtocols.grpc;
const token = 'eyJhbGciOi.J1c2VyIjoi.MTIzNDU2';
const lines: readonly string[] = [
  [':method', 'POST'],
  [':scheme', 'https'],
  [':authority', 'bank.localhost'],
  [':path', '/bank.v1.Ledger/Get'],
  ['te', 'trailers'],
  ['authorization', `Bearer ${token}`],
  ['x-mine', '1'],
].flat();

function raw(rawHeaders: readonly string[] = lines): RawHead {
  return { version: '2.0', method: 'POST', target: rawHeaders[rawHeaders.indexOf(':path') + 1]!, rawHeaders };
}

function keeping(...heads: RawHead[]): Http2Heads {
  const all = new Http2Heads();
  for (const head of heads) all.keep(head, checkedHead(head) as CheckedHead, token, dialect);
  return all;
}

describe('a head that comes again', () => {
  it('is found where all of it is the same, and is the same object', () => {
    const all = keeping(raw());
    const found = all.find(raw([...lines]));
    assert.ok(found !== undefined && found.dialect === dialect);
    assert.equal(all.find(raw())?.head, found.head);
    assert.deepEqual({ ...found.head, authorization: `Bearer ${token}` }, checkedHead(raw()));
  });

  it('is another one where anything is: a name, a value, the credential, their order or number', () => {
    const all = keeping(raw());
    for (let at = 0; at < lines.length; at += 1) assert.equal(all.find(raw(lines.with(at, `${lines[at]}x`))), undefined, lines[at]);
    assert.equal(all.find(raw([...lines, 'x-mine', '1'])), undefined);
    assert.equal(all.find(raw(lines.slice(0, -2))), undefined);
    assert.equal(all.find(raw([...lines.slice(0, 8), ...lines.slice(10), ...lines.slice(8, 10)])), undefined);
  });

  it('holds no credential', () => {
    const found = keeping(raw()).find(raw());
    assert.ok(found !== undefined && !JSON.stringify(found).includes(token.slice(0, 8)));
  });

  it('is not kept where a secret may stand anywhere else', () => {
    for (const [name, value] of [
      ['cookie', 'a=b'],
      ['proxy-authorization', 'Basic YTpi'],
      ['x-api-key', 'k'],
      ['x-auth-token', 't'],
    ] as const) {
      const head = raw([...lines, name, value]);
      assert.equal(keeping(head).find(head), undefined, name);
    }
    const withQuery = raw(lines.with(7, '/a?code=1'));
    assert.equal(keeping(withQuery).find(withQuery), undefined);
    const all = new Http2Heads();
    all.keep(raw(), checkedHead(raw()) as CheckedHead, 'another credential', dialect);
    assert.equal(all.find(raw()), undefined, 'a credential from elsewhere');
  });

  it('of a call of gRPC may have another deadline, and has that one; what is none makes it another head', () => {
    const within = (value: string): RawHead => raw([...lines.slice(0, 10), 'grpc-timeout', value, ...lines.slice(10)]);
    const all = keeping(within('4999923u'));
    const first = all.find(within('4999923u'))!;
    for (const value of ['4999923u', '1S', '12345678n']) {
      const { head } = all.find(within(value))!;
      assert.equal(head.upstream, first.head.upstream);
      assert.deepEqual(
        head.fields.filter(({ name }) => name === 'grpc-timeout'),
        [{ name: 'grpc-timeout', value }],
      );
      const byName = (one: CheckedHead) => one.fields.map(({ name, value: said }) => `${name}: ${said}`).toSorted();
      assert.deepEqual(byName(head), byName(checkedHead(within(value)) as CheckedHead));
    }
    for (const value of ['', '1', '123456789n', '1x', ' 1S', '1S\n', '-1S']) assert.equal(all.find(within(value)), undefined, value);
    assert.equal(all.find(raw()), undefined, 'none at all');
    const twice = raw([...within('1S').rawHeaders, 'grpc-timeout', '2S']);
    assert.equal(keeping(twice).find(twice), undefined);
    const http = new Http2Heads();
    http.keep(within('1S'), checkedHead(within('1S')) as CheckedHead, token, requestProtocols.http);
    assert.deepEqual([http.find(within('1S')) !== undefined, http.find(within('2S'))], [true, undefined]);
  });

  it('is one of a few, none of them long; a client that never repeats itself is left alone', () => {
    const numbered = (number: number): RawHead => raw([...lines, 'x-number', String(number)]);
    const few = keeping(...[0, 1, 2, 3, 4].map(numbered));
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((number) => few.find(numbered(number)) !== undefined),
      [false, true, true, true, true],
    );
    const long = raw([...lines, 'x-long', 'x'.repeat(5_000)]);
    assert.equal(keeping(long).find(long), undefined);
    const many = keeping(...Array.from({ length: 16 }, (_, number) => numbered(number)));
    many.keep(raw(), checkedHead(raw()) as CheckedHead, token, dialect);
    assert.deepEqual([many.find(raw()), many.find(numbered(15))], [undefined, undefined]);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readAnswerMessage } from './answer-message.ts';

const read = (text: string, method = 'GET') => readAnswerMessage(text.replaceAll('\n', '\r\n'), method);

describe('the head of an answer', () => {
  it('has a status, fields in their order, and a body that ends somewhere', () => {
    assert.deepEqual(read('HTTP/1.1 200 OK\nContent-Length: 2\nX-A: 1\nx-a:  2\t'), {
      status: 200,
      fields: [
        { name: 'content-length', value: '2' },
        { name: 'x-a', value: '1' },
        { name: 'x-a', value: '2' },
      ],
      body: { kind: 'length', octets: 2 },
      persists: true,
    });
  });

  for (const [head, method, kind, persists] of [
    ['HTTP/1.1 200 OK\nTransfer-Encoding: Chunked', 'GET', 'chunked', true],
    ['HTTP/1.1 200', 'GET', 'until-close', false],
    ['HTTP/1.1 200 \nContent-Length: 0', 'GET', 'length', true],
    ['HTTP/1.0 200 OK\nContent-Length: 2', 'GET', 'length', false],
    ['HTTP/1.1 200 OK\nContent-Length: 2\nConnection: x, Close', 'GET', 'length', false],
    ['HTTP/1.1 204 No Content', 'DELETE', 'none', true],
    ['HTTP/1.1 304 Not Modified\nContent-Length: 7', 'GET', 'none', true],
    ['HTTP/1.1 200 OK\nContent-Length: 7', 'HEAD', 'none', true],
    ['HTTP/1.1 103 Early Hints\nLink: x', 'GET', 'none', true],
  ] as const) {
    it(`${head.replaceAll('\n', ' | ')} to ${method}: ${kind}${persists ? '' : ', and the connection is over'}`, () => {
      const message = read(head, method);
      assert.deepEqual([message?.body.kind, message?.persists], [kind, persists]);
    });
  }

  for (const [name, text] of [
    ['two lengths', 'HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 1'],
    ['a list of lengths', 'HTTP/1.1 200 OK\nContent-Length: 1, 1'],
    ['a signed length', 'HTTP/1.1 200 OK\nContent-Length: +1'],
    ['a length too long for a number', `HTTP/1.1 200 OK\nContent-Length: ${'9'.repeat(16)}`],
    ['a length and chunks', 'HTTP/1.1 200 OK\nContent-Length: 1\nTransfer-Encoding: chunked'],
    ['a length and chunks where there is no body', 'HTTP/1.1 304 OK\nContent-Length: 1\nTransfer-Encoding: chunked'],
    ['another coding', 'HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked'],
    ['a coding twice', 'HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked'],
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\nTransfer-Encoding: chunked'],
    ['another version', 'HTTP/2 200 OK\nContent-Length: 1'],
    ['a status of two digits', 'HTTP/1.1 20 OK'],
    ['no status line', 'Content-Length: 1'],
    ['nothing', ''],
    ['a folded field', 'HTTP/1.1 200 OK\nX: a\n b'],
    ['a space before a colon', 'HTTP/1.1 200 OK\nX : a'],
    ['a name with a space', 'HTTP/1.1 200 OK\nX Y: a'],
    ['no name', 'HTTP/1.1 200 OK\n: a'],
    ['no colon', 'HTTP/1.1 200 OK\nX'],
    ['a bare CR in a value', 'HTTP/1.1 200 OK\nX: a\rY: b'],
    ['NUL in a value', 'HTTP/1.1 200 OK\nX: a\0'],
    ['a bare CR in the reason', 'HTTP/1.1 200 a\rb\nX: a'],
    ['a line break too many', 'HTTP/1.1 200 OK\nX: a\n'],
  ] as const) {
    it(`is not read where it has ${name}`, () => {
      assert.equal(read(text), undefined);
    });
  }

  it('is not read where a line ends in LF alone', () => {
    assert.equal(readAnswerMessage('HTTP/1.1 200 OK\r\nX: a\nY: b', 'GET'), undefined);
  });
});

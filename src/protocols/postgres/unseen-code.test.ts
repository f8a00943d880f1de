import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as encode from './encode.ts';
import { answers, bind, execute, parse, ready, sync } from './fixture.test.ts';

/** The code could have set `standard_conforming_strings`, and the server tells only before ReadyForQuery. */
const code = 'do $$ begin end $$';
const escaped = String.raw`select 'a\'`;

describe('a text that could be read in two ways, behind code that nobody sees', () => {
  it('waits until the server has said what became of its settings', () => {
    for (const text of [escaped, "select 'ü'"]) {
      const gateway = ready({ slowServer: true });
      gateway.client(encode.query(code), encode.query(text));
      assert.deepEqual(gateway.toServer, [encode.query(code), encode.emptyClientMessage('Flush')], text);
      gateway.serve();
      gateway.serve();
      assert.deepEqual(gateway.server.ran, [code, text]);
      assert.deepEqual(
        answers(gateway).filter((word) => word.startsWith('Error')),
        [],
      );
    }
  });

  it('waits by Parse, too', () => {
    const gateway = ready({ slowServer: true });
    gateway.client(parse(code), bind(), execute(), sync, parse(escaped), bind(), execute(), sync);
    assert.equal(gateway.toServer.at(-1)?.[0], encode.emptyClientMessage('Flush')[0]);
    gateway.serve();
    gateway.serve();
    assert.deepEqual(gateway.server.ran, [code, escaped]);
  });

  it('is refused where the answer cannot come before it', () => {
    const gateway = ready();
    gateway.client(parse(code), bind(), execute(), parse(escaped), bind(), execute(), sync);
    assert.deepEqual(answers(gateway).slice(-2), ['Error(42501)', 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, [code]);
    gateway.client(encode.query(escaped));
    assert.deepEqual(gateway.server.ran, [code, escaped]);
  });
});

it('a plain text goes at once, behind whatever code, and any text behind what is seen through', () => {
  const gateway = ready({ slowServer: true });
  gateway.client(encode.query(code), encode.query("select 'plain'"));
  assert.deepEqual(gateway.toServer, [encode.query(code), encode.query("select 'plain'")]);
  const other = ready({ slowServer: true });
  other.client(encode.query('select 1'), encode.query(escaped));
  assert.deepEqual(other.toServer, [encode.query('select 1'), encode.query(escaped)]);
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeCrypto } from '../../net/crypto.ts';
import { inflate } from '../../net/message-inflate.ts';
import { masksOf } from './masks.ts';
import { asked, environmentWith, sent, session, whole, type EnvironmentOptions, type Made } from './testing/calls.ts';

const environmentFor = (options: EnvironmentOptions = {}) => environmentWith(nodeCrypto, inflate, options);
const operation = (made: Made = {}, of: object = session) => asked(environmentFor(), made).operation(of as typeof session);

describe('what a session asks again', () => {
  it('is the same question, by which policy and the log know it, whatever is in its messages and metadata', () => {
    const first = operation();
    for (const made of [{ body: whole(sent('to bob')) }, { fields: { 'x-branch': 'bern' } }, { fields: { 'grpc-timeout': '5S' } }]) {
      const again = operation(made);
      assert.equal(again.cacheKey, first.cacheKey);
      assert.equal(again.facts, first.facts);
      assert.equal(again.acts, first.acts);
    }
    assert.ok(first.cacheKey !== undefined);
  });

  it('is another one for anything that policy is asked about', () => {
    const of = { ...session };
    const all = [
      operation({}, of),
      operation({ path: '/acme.v1.Accounts/List' }, of),
      operation({ path: '/acme.v1.Accounts/Nothing' }, of),
      operation({ path: '/acme.v1.Accounts/Nobody' }, of),
      operation({ fields: { 'sallyport-reason': 'ticket 1' } }, of),
      operation({ fields: { 'sallyport-reason': 'ticket 2' } }, of),
      operation({ host: 'other.gw.example' }, of),
      operation({}, { ...session }),
    ];
    assert.equal(new Set(all.map(({ cacheKey }) => cacheKey)).size, all.length);
    assert.deepEqual(
      all.map(({ facts }) => facts['reason']),
      [undefined, undefined, undefined, undefined, 'ticket 1', 'ticket 2', undefined, undefined],
    );
    assert.equal(all[6]!.facts['host'], 'other.gw.example');
  });
});

describe('masks of a call', () => {
  it('are those of the schema that is in force, also where nothing else has changed', () => {
    const known = environmentFor({ places: 'open', revealed: ['card'] });
    const withOptions = { ...known, schema: { method: () => undefined, classes: ['ssn'] } };
    assert.equal(masksOf(known).hides, false);
    assert.equal(masksOf(withOptions).hides, true);
    assert.equal(masksOf(known).hides, false);
  });

  it('are those of who asks and of the target that is asked', () => {
    const hidden = environmentFor();
    const seen = { ...hidden, revealed: new Set(['ssn', 'card']) };
    const elsewhere = { ...hidden, target: { ...hidden.target, name: 'other' }, revealed: new Set(['card']) };
    const here = { ...hidden, revealed: elsewhere.revealed };
    assert.deepEqual(
      [hidden, seen, elsewhere, here, hidden].map(masksOf).map(({ hides }) => hides),
      [true, false, false, true, true],
    );
  });
});

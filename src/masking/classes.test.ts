import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeCrypto } from '../net/crypto.ts';
import { compileDataClasses } from './classes.ts';
import { maskProse, maskText } from './text.ts';
import type { ColumnPath, DataClass } from './types.ts';

const column = (relation: string, name: string, target = 'orders'): ColumnPath => ({
  target,
  database: undefined,
  schema: 'public',
  relation,
  column: name,
});
const dataClass = (name: string, mask: DataClass['mask'], more: Partial<DataClass> = {}): DataClass => ({
  name,
  mask,
  columns: [],
  paths: [],
  detect: [],
  ...more,
});
const key = new Uint8Array(32).fill(1);

const compile =
  (list: DataClass[], useKey = key) =>
  (): unknown =>
    compileDataClasses(list, nodeCrypto, useKey);

describe('compileDataClasses', () => {
  const classes = compileDataClasses(
    [
      dataClass('shown-a-little', 'partial-last4', { columns: [column('t', 'a')] }),
      dataClass('hidden', 'redact', { columns: [column('t', 'a'), column('t', 'b')] }),
      dataClass('inside', 'hash', { paths: [{ column: column('t', 'doc'), path: '$.x' }] }),
      dataClass('elsewhere', 'null', { columns: [column('t', 'a', 'other')] }),
      dataClass('mail', 'null', { detect: [{ kind: 'recogniser', name: 'email' }] }),
      dataClass('card', 'partial-last4', { detect: [{ kind: 'recogniser', name: 'card-number' }] }),
    ],
    nodeCrypto,
    key,
  );

  it('looks columns up by their whole path', () => {
    assert.deepEqual(classes.rulesOf(column('t', 'a')), [
      { class: 'hidden', path: undefined },
      { class: 'shown-a-little', path: undefined },
    ]);
    assert.deepEqual(classes.rulesOf(column('t', 'doc')), [{ class: 'inside', path: '$.x' }]);
    assert.deepEqual(classes.rulesOf(column('t', 'c')), []);
    assert.deepEqual(classes.rulesOf({ ...column('t', 'a'), database: 'x' }), []);
    assert.deepEqual(classes.columnClasses('orders'), ['hidden', 'inside', 'shown-a-little']);
    assert.deepEqual(classes.columnClasses('nowhere'), []);
  });

  it('applies the strongest of several', () => {
    assert.deepEqual(classes.strongest(['shown-a-little', 'hidden']), { class: 'hidden', kind: 'redact' });
    assert.deepEqual(classes.strongest(classes.names), { class: 'elsewhere', kind: 'null' });
    assert.equal(classes.strongest(['no such class']), undefined);
  });

  it('masks what is found inside a text', () => {
    assert.deepEqual(maskText(classes, classes.detectors, 'pay 4111111111111111 now'), {
      text: 'pay ************1111 now',
      classes: ['card'],
      found: ['card'],
    });
    assert.deepEqual(maskText(classes, classes.detectors, 'pay 4111111111111111 a@example.com'), {
      text: null,
      classes: ['card', 'mail'],
      found: ['card', 'mail'],
    });
    assert.equal(maskText(classes, classes.detectors, 'nothing'), undefined);
    assert.equal(maskProse(classes, classes.detectors, 'pay 4111111111111111 a@example.com.'), 'pay ************1111 .');
  });

  it('refuses what cannot be meant', () => {
    assert.throws(compile([dataClass('a', 'null'), dataClass('a', 'redact')]), /defined twice/);
    assert.throws(compile([dataClass('a', 'null')], new Uint8Array(31)), /32 bytes/);
    assert.throws(compile([dataClass('a', 'null', { paths: [{ column: column('t', 'a'), path: '$..x' }] })]), /path/);
    assert.throws(compile([dataClass('a', 'null', { detect: [{ kind: 'pattern', pattern: '(' }] })]), /pattern/);
  });
});

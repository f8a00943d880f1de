import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { analyse } from '../../sql/postgres/analyse.ts';
import { loadParser } from '../../sql/postgres/index.ts';
import { reasonChange, Reasons } from './reason.ts';
import { startupSettings } from './settings.ts';

before(loadParser);

describe('a stated reason', () => {
  it('is the leading comment, else the setting, else the application name', () => {
    const reasons = startedWith({ application_name: 'reason: from the application' });
    assert.equal(reasons.of('select 1'), 'from the application');
    reasons.change({ value: 'from the setting', tag: 'SET' });
    assert.equal(reasons.of('select 1'), 'from the setting');
    assert.equal(reasons.of('\n /* Reason:  INC-1 clean up */ select 1'), 'INC-1 clean up');
  });

  it('is no reason without its word, its end or its text, and none inside another comment', () => {
    const reasons = startedWith({ application_name: 'psql' });
    for (const text of [
      '/* INC-1 */ select 1',
      '/* reason: x',
      '/* reason:  */ select 1',
      '-- reason: x\nselect 1',
      'select /* reason: x */ 1',
    ])
      assert.equal(reasons.of(text), undefined, text);
    assert.equal(reasons.of('/* reason: a /* b */ delete from orders /* */ */ select 1'), undefined);
  });

  it('is one line of bounded length', () => {
    const reasons = startedWith({});
    assert.equal(reasons.of('/* reason: a\nb\u202e */ select 1'), 'a\\u{a}b\\u{202e}');
    assert.equal(reasons.of(`/* reason: ${'x'.repeat(5_000)} */`)?.length, 257);
  });

  it('goes back to what was stated at startup, also when the session is made fresh', () => {
    const reasons = startedWith({ options: '-c sallyport.reason=at\\ startup' });
    reasons.change({ value: 'later', tag: 'SET' });
    reasons.change({ value: undefined, tag: 'RESET' });
    assert.equal(reasons.of(''), 'at startup');
    for (const text of ['discard all', 'reset all']) {
      reasons.change({ value: 'later', tag: 'SET' });
      reasons.apply(analyse(text).statements[0]!.sessionEffects);
      assert.equal(reasons.of(''), 'at startup', text);
    }
  });

  it('at startup does not reach the target, and no other setting of that name exists', () => {
    assert.equal(startupSettings([{ name: 'sallyport.reason', value: 'x' }]).values.size, 0);
    assert.deepEqual(startupSettings([{ name: 'sallyport.reason', value: 'x' }]).guarded, []);
    assert.throws(() => startupSettings([{ name: 'Sallyport.Admin', value: 'x' }]), /sallyport\.admin is not a setting of the gateway/);
  });
});

it('only a SET or RESET of its own states it', () => {
  assert.deepEqual(reasonChange(analyse("set Sallyport.Reason = 'why not'").statements), { value: 'why not', tag: 'SET' });
  assert.deepEqual(reasonChange(analyse('set sallyport.reason to default').statements), { value: undefined, tag: 'SET' });
  assert.deepEqual(reasonChange(analyse('reset sallyport.reason').statements), { value: undefined, tag: 'RESET' });
  for (const text of [
    "set local sallyport.reason = 'x'",
    "set sallyport.reason = 'x'; select 1",
    "set sallyport.reason = 'x', 'y'",
    "select set_config('sallyport.reason', 'x', false)",
    "set sallyport.other = 'x'",
    'select 1',
  ])
    assert.equal(reasonChange(analyse(text).statements), undefined, text);
});

function startedWith(parameters: Readonly<Record<string, string>>): Reasons {
  return new Reasons(startupSettings(Object.entries(parameters).map(([name, value]) => ({ name, value }))));
}

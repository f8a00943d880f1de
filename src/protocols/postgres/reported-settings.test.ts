import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Running } from './expected.ts';
import { ReportedSettings } from './reported-settings.ts';

const ran = (runsUnseen: boolean, written: number, beyond = false): Running =>
  ({ understanding: { runsUnseen, maskFacts: { written: Array.from({ length: written }), beyond } } }) as unknown as Running;
const set = (setting: string, ...values: string[]) => [{ kind: 'set' as const, setting, values, local: false }];

describe('what is known of a reported setting', () => {
  it('is everything, until code may have run', () => {
    const settings = new ReportedSettings(new Map([['TimeZone', 'Etc/UTC']]));
    settings.ended(ran(false, 0));
    assert.equal(settings.isKnown('application_name', 'anything', true), true);
    for (const code of [ran(true, 0), ran(false, 1), ran(false, 0, true)]) {
      const after = new ReportedSettings(new Map());
      after.ended(code);
      assert.equal(after.isKnown('application_name', 'anything', true), false);
    }
  });

  it('is what the server reported before, and what the client named, in any case and with any quotes', () => {
    const settings = new ReportedSettings(new Map([['TimeZone', 'Etc/UTC']]));
    assert.equal(settings.isKnown('application_name', 'psql', true), true);
    settings.ended(ran(true, 0));
    settings.apply([...set('timezone', 'europe/berlin'), ...set('search_path', '$user', 'public')]);
    for (const [name, value] of [
      ['TimeZone', 'Etc/UTC'],
      ['TimeZone', 'Europe/Berlin'],
      ['application_name', 'psql'],
      ['search_path', '"$user", public'],
    ] as const)
      assert.equal(settings.isKnown(name, value, false), true, value);
    assert.equal(settings.isKnown('application_name', 'Europe/Berlin', true), false);
  });

  it('is nothing new while a statement runs that may have set it', () => {
    const settings = new ReportedSettings(new Map());
    assert.equal(settings.isKnown('application_name', 'x', false), false);
    assert.equal(settings.isKnown('application_name', 'x', true), true);
  });
});

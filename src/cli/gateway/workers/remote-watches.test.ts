import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RemoteWatches } from './remote-watches.ts';

it('people who watch a session of a worker see what it tells until either side ends it', () => {
  const told: unknown[] = [];
  const watches = new RemoteWatches({ tell: (name, argument) => void told.push([name, argument]) });
  const seen: string[] = [];
  const watcher = (name: string) => ({
    principal: { issuer: 'i', subject: name, groups: ['sre'], claims: { secret: 'x' } },
    see: (operation: string, { text }: { readonly text: string }) => void seen.push(`${name} ${operation} ${text}`),
    ended: () => void seen.push(`${name} ended`),
  });
  const stop = watches.begin('s', watcher('carol'));
  watches.begin('s', watcher('dave'));
  watches.begin('t', watcher('erin'));
  watches.seen(1, 's-1', { stream: 'output', text: 'a' });
  watches.seen(2, 's-1', { stream: 'output', text: 'a' });
  stop();
  stop();
  watches.seen(1, 's-1', { stream: 'output', text: 'late' });
  watches.ended(1);
  watches.ended(2);
  watches.end();
  watches.end();
  assert.deepEqual(seen, ['carol s-1 a', 'dave s-1 a', 'dave ended', 'erin ended']);
  const principal = (subject: string) => ({ issuer: 'i', subject, groups: ['sre'] });
  assert.deepEqual(told, [
    ['watch', { watch: 1, session: 's', principal: principal('carol') }],
    ['watch', { watch: 2, session: 's', principal: principal('dave') }],
    ['watch', { watch: 3, session: 't', principal: principal('erin') }],
    ['unwatch', { watch: 1 }],
  ]);
});

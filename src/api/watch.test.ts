import assert from 'node:assert/strict';
import { after, beforeEach, it } from 'node:test';
import type { LiveSession } from '../core/ports.ts';
import { WatchedSession } from '../core/watching.ts';
import { startApi } from './server.ts';
import type { ApiServer } from './server.ts';
import { liveSession, TestContext } from './testing/context.ts';

let context: TestContext;
let server: ApiServer | undefined;
let url: string;
let watched: WatchedSession;
let counts: number[];
const killed: string[] = [];

beforeEach(async () => {
  await server?.close();
  context = new TestContext();
  counts = [];
  killed.length = 0;
  const moderated = (id: string, moderators: string): LiveSession => {
    const session = liveSession(id, (reason) => killed.push(reason));
    watched = new WatchedSession(session.principal, () => counts.push(watched.watchers(moderators)));
    return { ...session, moderators, watch: (watcher) => watched.watch(watcher) };
  };
  context.live.set('theirs', moderated('theirs', 'fraud'));
  context.live.set('ours', moderated('ours', 'dba'));
  server = await startApi(context, { host: '127.0.0.1', port: 0, heartbeatMs: 5 });
  url = `http://127.0.0.1:${server.port}/api/v1/sessions/`;
});
after(async () => await server?.close());

const as = (token: string, init: RequestInit = {}): RequestInit => ({ ...init, headers: { authorization: `Bearer ${token}` } });

it('a moderated session is watched and ended by reviewers of its group, and counts them while they are there', async () => {
  const leave = new AbortController();
  const response = await fetch(`${url}ours/watch`, as('reviewer', { signal: leave.signal }));
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const until = async (part: string): Promise<void> => {
    while (!text.includes(part)) text += (await reader.read()).value ?? assert.fail(text);
  };
  await until('event: watching');
  watched.show('ours-1', { stream: 'output', text: 'a\n\nevent: over' });
  await until('data: {"operation":"ours-1","stream":"output","text":"a\\n\\nevent: over"}');
  assert.deepEqual(counts, [1]);
  leave.abort();
  while (counts.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(counts, [1, 0]);
  assert.equal((await fetch(`${url}ours?reason=enough`, as('reviewer', { method: 'DELETE' }))).status, 200);
  assert.deepEqual(killed, ['enough']);
  const reads = context.entries.filter(({ record }) => record.type === 'evidence.read' && record.what === 'session.watch');
  assert.equal(reads.length, 1, 'and it is on record who watched');
});

it('ends with its session', async () => {
  const response = await fetch(`${url}ours/watch`, as('reviewer'));
  const text = response.text();
  while (counts.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  watched.close();
  assert.match(await text, /event: over/);
});

it('of another group, or of none, is not for reviewers', async () => {
  context.live.set(
    'nobodys',
    liveSession('nobodys', () => {}),
  );
  for (const id of ['theirs', 'nobodys', 'unknown']) {
    assert.equal((await fetch(`${url}${id}/watch`, as('reviewer'))).status, 403, id);
    assert.equal((await fetch(`${url}${id}?reason=x`, as('reviewer', { method: 'DELETE' }))).status, 403, id);
  }
  assert.deepEqual([counts, killed], [[], []]);
});

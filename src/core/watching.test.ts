import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WatchedSession, type Watcher } from './watching.ts';

const agent = { issuer: 'ci', subject: 'job' };
class Someone implements Watcher {
  readonly principal: Watcher['principal'];
  readonly seen: string[] = [];
  isOver = false;

  constructor(subject: string, ...groups: readonly string[]) {
    this.principal = { issuer: 'ci', subject, groups };
  }

  see(operationId: string, { stream, text }: { readonly stream: string; readonly text: string }): void {
    this.seen.push(`${operationId} ${stream} ${text}`);
  }

  ended(): void {
    this.isOver = true;
  }
}

describe('watching a session', () => {
  it('shows what passes, the last of it to those who come late too, until it is over', () => {
    const session = new WatchedSession(agent, () => {});
    session.show('s-1', { stream: 'output', text: 'a' });
    const early = new Someone('carol', 'sre');
    const stop = session.watch(early);
    session.show('s-1', { stream: 'input', text: 'b' });
    const late = new Someone('dave', 'sre');
    session.watch(late);
    stop();
    session.show('s-1', { stream: 'error', text: 'c' });
    assert.deepEqual(early.seen, ['s-1 output a', 's-1 input b']);
    assert.deepEqual(late.seen, ['s-1 output a', 's-1 input b', 's-1 error c']);
    session.close();
    assert.deepEqual([early.isOver, late.isOver], [false, true]);
    const tooLate = new Someone('eve', 'sre');
    session.watch(tooLate);
    assert.deepEqual([tooLate.isOver, tooLate.seen.length, session.watchers('sre')], [true, 0, 0]);
  });

  it('keeps no more than the last characters', () => {
    const session = new WatchedSession(agent, () => {});
    for (let count = 0; count < 1_000; count += 1) session.show('s-1', { stream: 'output', text: `${count}`.padStart(1_024, '-') });
    const late = new Someone('carol');
    session.watch(late);
    assert.equal(late.seen.length, 64);
    assert.match(late.seen.at(-1) ?? '', /999$/);
  });

  it('counts people of the group, each once, never the one who opened the session', () => {
    const counts: number[] = [];
    const session = new WatchedSession(agent, () => counts.push(session.watchers('sre')));
    const people = [
      new Someone('job', 'sre'),
      new Someone('bob', 'dba'),
      new Someone('carol', 'sre'),
      new Someone('carol', 'sre'),
      new Someone('dave', 'sre'),
    ];
    for (const end of people.map((one) => session.watch(one))) {
      end();
      end();
    }
    assert.deepEqual(counts, [0, 0, 1, 1, 2, 2, 2, 2, 1, 0]);
  });
});

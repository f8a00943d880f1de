import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WatchBook, type Watcher } from './watching.ts';

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
    const book = new WatchBook();
    book.open('s', agent);
    book.show('s', 's-1', { stream: 'output', text: 'a' });
    const early = new Someone('carol', 'sre');
    const stop = book.watch('s', early);
    book.show('s', 's-1', { stream: 'input', text: 'b' });
    const late = new Someone('dave', 'sre');
    book.watch('s', late);
    stop?.();
    book.show('s', 's-1', { stream: 'error', text: 'c' });
    assert.deepEqual(early.seen, ['s-1 output a', 's-1 input b']);
    assert.deepEqual(late.seen, ['s-1 output a', 's-1 input b', 's-1 error c']);
    book.close('s');
    assert.deepEqual([early.isOver, late.isOver], [false, true]);
    assert.equal(book.watch('s', new Someone('eve')), undefined);
    book.show('s', 's-1', { stream: 'output', text: 'nobody' });
  });

  it('keeps no more than the last characters', () => {
    const book = new WatchBook();
    book.open('s', agent);
    for (let count = 0; count < 1_000; count += 1) book.show('s', 's-1', { stream: 'output', text: `${count}`.padStart(1_024, '-') });
    const late = new Someone('carol');
    book.watch('s', late);
    assert.equal(late.seen.length, 64);
    assert.match(late.seen.at(-1) ?? '', /999$/);
  });

  it('counts people of the group, each once, never the one who opened the session', () => {
    const book = new WatchBook();
    book.open('s', agent);
    const counts: number[] = [];
    const stop = book.onChange('s', () => counts.push(book.watchers('s', 'sre')));
    const ends = [
      new Someone('job', 'sre'),
      new Someone('bob', 'dba'),
      new Someone('carol', 'sre'),
      new Someone('carol', 'sre'),
      new Someone('dave', 'sre'),
    ].map((one) => book.watch('s', one));
    for (const end of ends) {
      end?.();
      end?.();
    }
    assert.deepEqual(counts, [0, 0, 1, 1, 2, 2, 2, 2, 1, 0]);
    stop();
    book.watch('s', new Someone('dave', 'sre'));
    assert.equal(counts.length, 10);
    assert.equal(book.watchers('other', 'sre'), 0);
  });
});

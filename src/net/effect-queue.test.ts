import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect } from '../core/effect.ts';
import { EffectQueue } from './effect-queue.ts';

const note = (event: string): Effect => ({ kind: 'note', event, detail: {} });
const ended = (operationId: string): Effect => ({
  kind: 'complete',
  completion: { operationId, outcome: 'succeeded', rows: 0, bytes: 0, masked: {} },
});
const nameOf = (effect: Effect): string =>
  effect.kind === 'note' ? effect.event : effect.kind === 'complete' ? `${effect.completion.operationId} ended` : effect.kind;

/** A queue and what came of it: names of effects in the order of their application, `|` for each flush. */
function recorded(
  act: (name: string, queue: EffectQueue) => boolean | void = () => {},
  isWithheld = (): boolean => false,
): { queue: EffectQueue; done: () => string } {
  const done: string[] = [];
  const queue: EffectQueue = new EffectQueue({
    apply: (effect) => {
      done.push(nameOf(effect));
      return act(nameOf(effect), queue) !== false;
    },
    flush: () => void done.push('|'),
    isWithheld,
    onNotesWaiting: () => void done.push('(waiting)'),
  });
  return { queue, done: () => done.join(' ') };
}

test('what is taken while an effect is applied comes behind everything', () => {
  const { queue, done } = recorded((name) => void (name === 'first' && queue.take([note('third')])));
  queue.take([note('first'), note('second')]);
  assert.equal(done().replaceAll(' |', ''), 'first second third');
});

test("what a decision brings comes before what was asked for behind the question: a refused statement's error, then the next one's forward", () => {
  const { queue, done } = recorded((name) => {
    if (name === 'question') queue.takeNext([note('answer'), note('more of it')]);
    if (name === 'last question') queue.takeNext([note('last answer')]);
  });
  queue.take([note('question'), note('behind'), note('last question')]);
  assert.equal(done().replaceAll(' |', ''), 'question answer more of it behind last question last answer');
});

test('what the client waits for is written before what is only noted of it, and once', () => {
  const { queue, done } = recorded();
  queue.take([note('answer'), ended('a'), note('answer'), ended('b'), ended('c')]);
  assert.equal(done(), 'answer a ended answer | b ended c ended |');
});

test('nothing is applied or written behind an effect that ends everything', () => {
  const { queue, done } = recorded((name) => name !== 'end');
  queue.take([note('answer'), note('end'), note('never')]);
  assert.equal(done(), 'answer end');
  queue.take([note('a new beginning')]);
  assert.equal(done(), 'answer end a new beginning |');
});

test('a fault drops what is behind it, and the last words are said at once', () => {
  const { queue, done } = recorded((name) => {
    if (name !== 'fault') return;
    queue.clear();
    queue.take([note('last words')]);
  });
  queue.take([note('fault'), note('never')]);
  assert.equal(done().replaceAll(' |', ''), 'fault last words');
  const thrown = recorded((name) => {
    if (name === 'fault') throw new Error('fault');
  });
  assert.throws(() => thrown.queue.take([note('answer'), note('fault'), note('never')]), /fault/);
  thrown.queue.take([note('last words')]);
  assert.equal(thrown.done(), 'answer fault | last words |');
});

test('what is noted of an answer that is withheld waits until it may go, or the session is asked again', () => {
  let isWithheld = true;
  const { queue, done } = recorded(
    () => {},
    () => isWithheld,
  );
  queue.take([note('answer'), ended('a'), ended('b')]);
  assert.equal(done(), 'answer | (waiting) |');
  queue.settle();
  queue.settle();
  assert.equal(done(), 'answer | (waiting) | a ended b ended');
  queue.take([note('answer'), ended('c')]);
  queue.take([note('next')]);
  isWithheld = false;
  queue.take([note('last'), ended('d')]);
  assert.equal(done(), 'answer | (waiting) | a ended b ended answer | (waiting) | c ended next | last | d ended |');
});

test('a fault drops no note that waited', () => {
  const { queue, done } = recorded(
    () => {},
    () => true,
  );
  queue.take([note('answer'), ended('a')]);
  queue.clear();
  queue.settle();
  assert.equal(done(), 'answer | (waiting) | a ended');
});

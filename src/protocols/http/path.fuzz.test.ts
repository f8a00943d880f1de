import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { canonicalTarget, targetBounds, targetText, type CanonicalTarget } from './path.ts';

const RUNS = 20_000;

/** Pieces of which paths are made that servers do not agree on, and some harmless ones. */
const pieces = [
  '/',
  '.',
  '..',
  '%',
  '%2',
  '%2e',
  '%2F',
  '%25',
  '%5c',
  '%3b',
  '%20',
  '%00',
  '%c3%a9',
  '%c0%ae',
  '%EF%BC%8F',
  '\\',
  ';',
  '+',
  ' ',
];
const more = ['?', '&', '=', '#', '@', ':', 'a', 'Z', '~', '%7e', '%41', 'é', '\0', '[', '_method', 'u002e'];
const piece = fc.oneof(fc.constantFrom(...pieces, ...more), fc.string({ unit: 'binary', maxLength: 3 }));
const anyTarget = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(piece, { maxLength: 12 }).map((parts) => `/${parts.join('')}`),
);
/** Most of these are accepted. */
const goodPiece = fc.oneof(
  fc.constantFrom('a', 'B', '7', '-', '_', '~', '!', '*', '+', '@', ':', '=', '%41', '%c3%a9', '%3f', '%E2%82%AC', '%40', '%2b'),
);
const goodSegment = fc.array(goodPiece, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
const goodTarget = fc
  .tuple(
    fc.array(goodSegment, { maxLength: 5 }),
    fc.option(fc.array(fc.constantFrom('&', '=', '/', '?', ';', 'x', '%7e', '%26', 'y=+z'), { maxLength: 8 })),
  )
  .map(([segments, query]) => `/${segments.join('/')}${query === null ? '' : `?${query.join('')}`}`);

it('fuzz: reading a target never throws, and a fault is one that the client caused', () => {
  const clientCaused = new Set(['protocol-violation', 'unclassified', 'unsupported', 'limit-exceeded']);
  fc.assert(
    fc.property(anyTarget, (sent) => {
      const read = canonicalTarget(sent);
      if (read instanceof GatewayFault) assert.ok(clientCaused.has(read.code), `${read.code}: ${read.detail}`);
      else holds(read);
    }),
    { numRuns: RUNS },
  );
});

it('fuzz: a canonical target is its own canonical target', () => {
  let accepted = 0;
  fc.assert(
    fc.property(goodTarget, (sent) => {
      const read = canonicalTarget(sent);
      if (read instanceof GatewayFault) return;
      accepted += 1;
      holds(read);
    }),
    { numRuns: RUNS },
  );
  assert.ok(accepted > RUNS / 2, `only ${accepted} were accepted`);
});

it('fuzz: one resource has one spelling', () => {
  const spelling = fc.tuple(fc.boolean(), fc.boolean());
  fc.assert(
    fc.property(goodTarget, fc.infiniteStream(spelling), (sent, spellings) => {
      const read = canonicalTarget(sent.split('?', 1)[0]!);
      if (read instanceof GatewayFault) return;
      const respelled = canonicalTarget(respellPath(read.path, spellings));
      assert.ok(!(respelled instanceof GatewayFault));
      assert.equal(respelled.path, read.path);
      assert.equal(respelled.decodedPath, read.decodedPath);
    }),
    { numRuns: RUNS / 10 },
  );
});

/** What is true of whatever is accepted. */
function holds(read: CanonicalTarget): void {
  const text = targetText(read);
  assert.deepEqual(canonicalTarget(text), read);
  assert.match(read.path, /^(?:\/(?:[A-Za-z0-9\-._~!$&'()*,=:@]|%[0-9A-F]{2})*)+$/);
  assert.match(read.query ?? '', /^(?:[A-Za-z0-9\-._~!$&'()*+,=:@/?]|%[0-9A-F]{2})*$/);
  assert.ok(text.length <= targetBounds.octets);
  assert.doesNotMatch(read.path, /%(?:[01][0-9A-F]|7F)/);
  assert.doesNotMatch(read.decodedPath, /\/\/|\\|;|(?:^|\/)\.{1,2}(?:\/|$)/);
  assert.equal(decodeURIComponent(read.path), read.decodedPath);
}

/** Some characters escaped that need not be, some hex digits small. */
function respellPath(path: string, spellings: Iterable<[boolean, boolean]>): string {
  const choices = spellings[Symbol.iterator]();
  return path.replace(/%[0-9A-F]{2}|[^/]/g, (spelled) => {
    const [escape, small] = choices.next().value as [boolean, boolean];
    const escaped = spelled.length === 1 && escape ? `%${spelled.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}` : spelled;
    return small && escaped.startsWith('%') ? escaped.toLowerCase() : escaped;
  });
}

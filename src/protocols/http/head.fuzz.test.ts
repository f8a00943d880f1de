import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { checkedHead, type RawHead } from './head.ts';
import { isToken, spelledOut } from './head-names.ts';

const RUNS = 20_000;

const names = [
  'Host',
  'Content-Length',
  'Transfer-Encoding',
  'Connection',
  'TE',
  'Upgrade',
  'Expect',
  'Authorization',
  'Cookie',
  'X-Mine',
  'x_mine',
  'Accept',
];
const oddNames = [
  '__proto__',
  'constructor',
  'X-Forwarded-For',
  'x_auth_user',
  'Content_Length',
  ':path',
  ':method',
  ':authority',
  ':scheme',
  'Sallyport-Reason',
];
const values = [
  'a',
  'gateway:443',
  '0',
  '12',
  'chunked',
  'close, x-mine',
  'upgrade',
  'websocket',
  'trailers',
  '100-continue',
  'Bearer abc',
  'https',
  'GET',
  '/',
];
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...names, ...oddNames) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
);
const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...values) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
);
const anyHead: fc.Arbitrary<RawHead> = fc.record({
  version: fc.oneof(fc.constantFrom('1.0', '1.1', '2.0'), fc.string({ maxLength: 3 })),
  method: fc.oneof(fc.constantFrom('GET', 'POST', 'TRACE'), fc.string({ maxLength: 5 })),
  target: fc.constantFrom('/', '*', '/a'),
  rawHeaders: fc.oneof(
    fc.array(fc.tuple(name, value), { maxLength: 8 }).map((pairs) => pairs.flat()),
    fc.array(fc.string({ unit: 'binary', maxLength: 8 }), { maxLength: 9 }),
  ),
});
/** One Host and fields that do not get in each other's way. */
const goodHead = fc
  .uniqueArray(
    fc.tuple(
      fc.constantFrom('Accept', 'X-Mine', 'Cookie', 'X-Forwarded-For', 'x_auth_user', '__proto__', 'Range'),
      fc.constantFrom('a', 'b c', ''),
    ),
    {
      selector: ([name]) => name,
    },
  )
  .map((pairs): RawHead => ({ version: '1.1', method: 'GET', target: '/', rawHeaders: ['Host', 'a', ...pairs.flat()] }));

it('fuzz: checking a head never throws, and a fault is one that the client caused', () => {
  const clientCaused = new Set(['protocol-violation', 'authentication-failed', 'unsupported', 'limit-exceeded']);
  fc.assert(
    fc.property(anyHead, (head) => {
      const checked = checkedHead(head);
      if (checked instanceof GatewayFault) assert.ok(clientCaused.has(checked.code), `${checked.code}: ${checked.detail}`);
    }),
    { numRuns: RUNS },
  );
});

it('fuzz: what goes upstream is part of what came, in its order, and neither framing nor identity', () => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(anyHead, goodHead), (head) => {
      const checked = checkedHead(head);
      if (checked instanceof GatewayFault) return;
      accepted += 1;
      let at = 0;
      for (const field of checked.upstream) {
        at = checked.fields.indexOf(field, at) + 1;
        assert.ok(at > 0);
        assert.ok(isToken(field.name) && field.name === field.name.toLowerCase());
        assert.match(field.value, /^(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?$/);
        assert.doesNotMatch(
          spelledOut(field.name),
          /^(?:host|content-length|transfer-encoding|connection|te|upgrade|expect|authorization)$|^(?:x-forwarded|x-auth|sallyport)-/,
        );
      }
    }),
    { numRuns: RUNS },
  );
  assert.ok(accepted > RUNS / 4, `only ${accepted} were accepted`);
});

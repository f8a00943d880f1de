import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { GatewayFault } from '../../src/core/fault.ts';
import { canonicalTarget, targetText } from '../../src/protocols/http/path.ts';
import { bodyFamilies } from './corpus/bodies.ts';
import { headFamilies } from './corpus/heads.ts';
import { Front, type Understood } from './front.ts';
import { exchange } from './upstreams/exchange.ts';
import { startUpstreams, type Upstreams, type Way } from './upstreams/index.ts';
import { numbered, type Seen } from './upstreams/reporter.ts';
import { inParallel, send, type Sent } from './upstreams/send.ts';
import { startWsgi, type WsgiSeen, type WsgiServer } from './upstreams/wsgi.ts';

let number = 0;
const families = [...bodyFamilies, ...headFamilies].map((family) => ({
  ...family,
  cases: family.sendings.map((sending) => {
    number += 1;
    return { number, octets: numbered(sending, number) };
  }),
}));
const cases = families.flatMap((family) => family.cases);

/** The numbers from which forwarded messages are told apart. */
const forwarded = 1_000_000;
const addedOnTheWay: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'way',
  'understood-method',
  'understood-host',
  'understood-path',
  'understood-query',
]);

describe('messages that servers cut differently', () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const once = new Agent({ keepAlive: false });
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-front-'));
  const front = new Front();
  let upstreams: Upstreams;
  let wsgi: WsgiServer;
  before(async () => {
    await front.listen(join(folder, 'front.sock'));
    upstreams = await startUpstreams();
    wsgi = await startWsgi();
    await inParallel(cases, 64, async ({ octets }) => {
      await exchange(join(folder, 'front.sock'), octets);
    });
  });
  after(async () => {
    agent.destroy();
    await front.close();
    await wsgi.close();
    await upstreams.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are five hundred and more', () => assert.ok(cases.length > 500));

  for (const { name, expected, cases } of families) {
    it(`${name}: ${expected}`, () => {
      const accepted = cases.filter(({ number }) => isOne(front.understood(number)[0]));
      const refused = cases.filter(({ number }) => front.understood(number).length === 0);
      if (expected === 'refused') assert.deepEqual(octetsOf(accepted), []);
      else if (expected === 'accepted')
        assert.deepEqual(octetsOf(cases.filter(({ number }) => !areOneAndLast(front.understood(number)))), []);
      else assert.ok(accepted.length > 0 && refused.length > 0, `${accepted.length} are accepted, ${refused.length} refused`);
    });
  }

  it('are cut by others where we cut them', async () => {
    for (const way of [upstreams.node, upstreams.nginx, upstreams.haproxy]) {
      await inParallel(cases, 64, async ({ octets }) => {
        await exchange(way.path, octets);
      });
    }
    for (const way of [upstreams.node, upstreams.nginx, upstreams.haproxy]) {
      let compared = 0;
      for (const { number, octets } of cases) {
        const seen = upstreams.reporter.seen(way.name, number);
        for (const [at, one] of front.understood(number).entries()) {
          if (seen[at] === undefined) break;
          compared += 1;
          assert.deepEqual(
            reading(seen[at]),
            { method: one.head.method, target: targetText(one.target), body: one.body ?? '' },
            `${way.name}: ${octets}`,
          );
        }
      }
      assert.ok(compared > cases.length / 4, `${way.name}: only ${compared} are understood by both`);
    }
  });

  it('go upstream as one message each, and are understood there as policy understood them', async () => {
    const messages = cases.flatMap(({ number, octets }) => front.understood(number).map((understood) => ({ octets, understood })));
    for (const way of [upstreams.node, upstreams.nginx, upstreams.haproxy]) {
      const before = upstreams.reporter.count(way.name);
      await inParallel([...messages.entries()], 16, async ([at, { octets, understood }]) => {
        const number = forwarded + at;
        const answer = await send(way, agent, asForwarded(understood, number));
        assert.equal(answer.status, 200, `${way.name} refuses ${octets}`);
        const seen = upstreams.reporter.seen(way.name, number);
        assert.equal(seen.length, 1, octets);
        const { method, target, body = '' } = asForwarded(understood, number);
        assert.deepEqual(reading(seen[0]!), { method, target, body });
        assert.ok(!seen[0]!.rawHeaders.includes('forged'), octets);
        assert.deepEqual(fieldsOf(way, seen[0]!), expectedFields(way, understood), `${way.name}: ${octets}`);
      });
      assert.equal(upstreams.reporter.count(way.name) - before, messages.length);
    }
  });

  it('go to WSGI without anything that a client said about itself', async () => {
    const messages = cases.flatMap(({ number }) => front.understood(number));
    await inParallel(messages, 8, async (understood) => {
      const answer = await send(wsgi, once, asForwarded(understood, forwarded));
      assert.equal(answer.status, 200);
      if (understood.head.method === 'HEAD') return;
      const { method, body, variables } = JSON.parse(answer.body) as WsgiSeen;
      assert.deepEqual({ method, body }, { method: understood.head.method, body: understood.body ?? '' });
      assert.ok(!Object.values(variables).includes('forged'));
      const expected = new Map<string, string>([
        ['HTTP_HOST', 'upstream'],
        ['HTTP_CONNECTION', 'close'],
      ]);
      for (const { name, value } of understood.head.upstream) {
        const variable = `HTTP_${name.replaceAll('-', '_').toUpperCase()}`;
        const before = expected.get(variable);
        if (name !== 'content-type') expected.set(variable, before === undefined ? value : `${before},${value}`);
      }
      assert.deepEqual(new Map(Object.entries(variables)), expected);
    });
  });
});

/** The message as it goes upstream: framed anew, with a number of its own in place of the one that the client's octets had. */
function asForwarded({ head, target, body }: Understood, number: number): Sent {
  return {
    method: head.method,
    target: targetText(target).replace(/case-\d+/, `case-${number}`),
    headers: ['host', 'upstream', ...head.upstream.flatMap(({ name, value }) => [name, value])],
    body,
  };
}

function reading({ method, target, body }: Seen): { method: string; target: string; body: string } {
  const read = canonicalTarget(target);
  return { method, target: read instanceof GatewayFault ? `not to be read: ${target}` : targetText(read), body };
}

/** What arrived of the client's own fields: without framing and the connection's, and without what the server on the way put in. */
function fieldsOf(way: Way, { rawHeaders }: Seen): readonly string[] {
  const fields: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (!addedOnTheWay.has(name)) fields.push(`${name}: ${rawHeaders[at + 1]}`);
  }
  return fields;
}

/** nginx drops names in which there is anything but letters, digits and `-`. */
function expectedFields(way: Way, { head }: Understood): readonly string[] {
  const fields = way.name === 'nginx' ? head.upstream.filter(({ name }) => /^[a-z0-9-]+$/.test(name)) : head.upstream;
  return fields.map(({ name, value }) => `${name}: ${value}`);
}

function octetsOf(cases: readonly { octets: string }[]): readonly string[] {
  return cases.map(({ octets }) => JSON.stringify(octets.slice(0, 300)));
}

function isOne(understood: Understood | undefined): boolean {
  return understood?.target.path.endsWith('/one') === true;
}

function areOneAndLast([one, last, ...more]: readonly Understood[]): boolean {
  return isOne(one) && last?.target.path.endsWith('/last') === true && more.length === 0;
}

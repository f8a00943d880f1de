import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { GatewayFault } from '../../src/core/fault.ts';
import { gather } from '../../src/net/http-body.ts';
import { ApiOverHttp2 } from '../../src/net/http-over-http2.ts';
import type { Forwarded } from '../../src/net/http-upstream.ts';
import { opened } from '../../src/net/testing/http2-target.ts';
import { canonicalTarget, targetText } from '../../src/protocols/http/path.ts';
import type { Understood } from './front.ts';
import type { Upstreams } from './upstreams/index.ts';
import type { Seen } from './upstreams/reporter.ts';
import { Reporter2 } from './upstreams/reporter2.ts';
import { inParallel, send, type Sent } from './upstreams/send.ts';
import type { WsgiSeen, WsgiServer } from './upstreams/wsgi.ts';

/** Something that a client sent, and what policy would be asked about. */
export interface Message {
  readonly sent: string;
  readonly understood: Understood;
}

/** Forwards each message on every way that leaves the target as it is: one request must arrive, and say what policy read, no more and no less. */
export async function checkForwarding(upstreams: Upstreams, messages: readonly Message[]): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  try {
    for (const way of [upstreams.node, upstreams.nginx, upstreams.haproxy]) {
      const before = upstreams.reporter.count(way.name);
      await inParallel([...messages.entries()], 16, async ([at, { sent, understood }]) => {
        const forwarded = asForwarded(understood, firstForwarded + at);
        const answer = await send(way, agent, forwarded);
        assert.equal(answer.status, 200, `${way.name} refuses ${sent}`);
        const seen = upstreams.reporter.seen(way.name, firstForwarded + at);
        assert.equal(seen.length, 1, sent);
        const { method, target, body = '' } = forwarded;
        assert.deepEqual(reading(seen[0]!), { method, target, body });
        assert.ok(!seen[0]!.rawHeaders.includes('forged'), sent);
        assert.deepEqual(fieldsOf(seen[0]!), expectedFields(way.name, understood), `${way.name}: ${sent}`);
      });
      assert.equal(upstreams.reporter.count(way.name) - before, messages.length);
    }
  } finally {
    agent.destroy();
  }
}

/** The same in HTTP/2, by the gateway's own connections: to Node's server, which is nghttp2, and to nginx, which has one of its own and goes on in HTTP/1.1. */
export async function checkForwardingOverHttp2(upstreams: Upstreams, messages: readonly Message[]): Promise<void> {
  const node = await Reporter2.start();
  try {
    for (const [name, port, reporter] of [
      ['node', node.port, node],
      [upstreams.nginxHttp2.name, upstreams.nginxHttp2.port, upstreams.reporter],
    ] as const) {
      const before = reporter.count(name);
      const upstream = new ApiOverHttp2({ host: '127.0.0.1', port, tls: undefined });
      await inParallel([...messages.entries()], 16, async ([at, { sent, understood }]) => {
        const { method, target, body = '' } = asForwarded(understood, firstForwarded + at);
        const status = await sendOverHttp2(upstream, understood, target);
        assert.equal(status, 200, `${name} refuses ${sent}`);
        const seen = reporter.seen(name, firstForwarded + at);
        assert.equal(seen.length, 1, sent);
        assert.deepEqual(reading(seen[0]!), { method, target, body });
        assert.ok(!seen[0]!.rawHeaders.includes('forged'), sent);
        // nginx puts the cookie of HTTP/2 behind all others.
        assert.deepEqual(fieldsOf(seen[0]!).toSorted(), expectedFields(name, understood).toSorted(), `${name}: ${sent}`);
      });
      upstream.close();
      assert.equal(reporter.count(name) - before, messages.length);
    }
  } finally {
    await node.close();
  }
}

async function sendOverHttp2(upstream: ApiOverHttp2, { head, body }: Understood, target: string): Promise<number> {
  const { grant, id } = await opened;
  const forwarded: Forwarded = {
    method: head.method,
    target,
    fields: head.upstream,
    body: body === undefined ? { kind: 'none' } : { kind: 'whole', bytes: Buffer.from(body, 'latin1') },
  };
  const answer = await upstream.send(forwarded, grant, id, new AbortController().signal);
  await gather(answer.body, 1_000);
  return answer.status;
}

/** The same for a server that makes variables of fields. */
export async function checkForwardingToWsgi(wsgi: WsgiServer, messages: readonly Message[]): Promise<void> {
  const agent = new Agent({ keepAlive: false });
  await inParallel(messages, 8, async ({ sent, understood }) => {
    const answer = await send(wsgi, agent, asForwarded(understood, firstForwarded));
    assert.equal(answer.status, 200, sent);
    if (understood.head.method === 'HEAD') return;
    const { method, body, variables } = JSON.parse(answer.body) as WsgiSeen;
    assert.deepEqual({ method, body }, { method: understood.head.method, body: understood.body ?? '' });
    assert.ok(!Object.values(variables).includes('forged'), sent);
    const expected = new Map([
      ['HTTP_HOST', 'upstream'],
      ['HTTP_CONNECTION', 'close'],
    ]);
    for (const { name, value } of understood.head.upstream) {
      const variable = `HTTP_${name.replaceAll('-', '_').toUpperCase()}`;
      const before = expected.get(variable);
      if (name !== 'content-type') expected.set(variable, before === undefined ? value : `${before},${value}`);
    }
    assert.deepEqual(new Map(Object.entries(variables)), expected, sent);
  });
}

/** What a server saw, read as the gateway reads. */
export function reading({ method, target, body }: Seen): { method: string; target: string; body: string } {
  const read = canonicalTarget(target);
  return { method, target: read instanceof GatewayFault ? `not to be read: ${target}` : targetText(read), body };
}

/** The message as it goes upstream: framed anew, with a number of its own in place of the one that the client's octets had. */
function asForwarded({ head, target, body }: Understood, number: number): Sent {
  return {
    method: head.method,
    target: targetText(target).replace(/case-\d+/, `case-${number}`),
    headers: ['host', 'upstream', ...head.upstream.flatMap(({ name, value }) => [name, value])],
    body,
  };
}

/** What arrived of the client's own fields: without framing and the connection's, and without what the server on the way put in. */
function fieldsOf({ rawHeaders }: Seen): readonly string[] {
  const fields: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (!addedOnTheWay.has(name)) fields.push(`${name}: ${rawHeaders[at + 1]}`);
  }
  return fields;
}

/** nginx drops names in which there is anything but letters, digits and `-`. */
function expectedFields(way: string, { head }: Understood): readonly string[] {
  const fields = way.startsWith('nginx') ? head.upstream.filter(({ name }) => /^[a-z0-9-]+$/.test(name)) : head.upstream;
  return fields.map(({ name, value }) => `${name}: ${value}`);
}

/** The numbers from which forwarded messages are told apart. */
const firstForwarded = 1_000_000;
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

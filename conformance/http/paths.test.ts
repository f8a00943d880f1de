import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { posix } from 'node:path';
import { parse } from 'node:querystring';
import { after, before, describe, it } from 'node:test';
import { GatewayFault } from '../../src/core/fault.ts';
import { canonicalTarget, targetText, type CanonicalTarget } from '../../src/protocols/http/path.ts';
import { targetFamilies, type TargetFamily } from './corpus/targets.ts';
import { startUpstreams, type Upstreams } from './upstreams/index.ts';
import { lastValue, numbered, type Seen } from './upstreams/reporter.ts';
import { inParallel, send } from './upstreams/send.ts';
import { startWsgi, type WsgiSeen, type WsgiServer } from './upstreams/wsgi.ts';

/** A target that policy may be asked about, by the number that stands in it. */
interface Accepted {
  readonly number: number;
  readonly sent: string;
  readonly read: CanonicalTarget;
}

let number = 0;
const families = targetFamilies().map((family) => ({ family, ...judge(family) }));
const accepted = families.flatMap(({ accepted }) => accepted);

it('there are a thousand targets and more, and most families have both an end', () => {
  assert.ok(number > 1_000);
  assert.ok(accepted.length > 500);
});

for (const { family, accepted, refused } of families) {
  it(`${family.name}: ${family.expected}`, () => {
    if (family.expected === 'refused')
      assert.deepEqual(
        accepted.map(({ sent }) => sent),
        [],
      );
    else if (family.expected === 'accepted') assert.deepEqual(refused, []);
    else assert.ok(accepted.length > 0 && refused.length > 0);
  });
}

describe('what is accepted is understood as policy understood it', () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const once = new Agent({ keepAlive: false });
  let upstreams: Upstreams;
  let wsgi: WsgiServer;
  before(async () => {
    upstreams = await startUpstreams();
    wsgi = await startWsgi();
  });
  after(async () => {
    agent.destroy();
    await wsgi.close();
    await upstreams.close();
  });

  it('by Node, and by what its applications take targets apart with', async () => {
    await eachSeen(upstreams.node.name, (seen, { read }) => {
      assert.equal(seen.target, targetText(read));
      const [path = '', ...rest] = seen.target.split('?');
      const query = rest.join('?');
      const url = new URL(seen.target, 'http://upstream');
      assert.equal(url.host, 'upstream');
      assert.equal(decodeURIComponent(url.pathname), read.decodedPath);
      assert.equal(decodeURIComponent(path), read.decodedPath);
      assert.equal(posix.normalize(read.decodedPath), read.decodedPath);
      assert.deepEqual([...url.searchParams.keys()], names(read));
      assert.deepEqual(new Set(Object.keys(parse(query, '&', '=', { maxKeys: 0 }))), new Set(names(read)));
    });
  });

  it('by nginx, where it forwards the target as it came', async () => {
    await eachSeen(upstreams.nginx.name, (seen, { read }) => {
      assert.equal(seen.target, targetText(read));
      assert.equal(understoodPath(seen), read.decodedPath);
      assert.equal(lastValue(seen.rawHeaders, 'understood-query') ?? '', read.query ?? '');
    });
  });

  it('by nginx, where it spells the target anew', async () => {
    await eachSeen(upstreams.nginxRewriting.name, (seen, { read }) => {
      const [path = '', ...query] = seen.target.split('?');
      assert.equal(decodeURIComponent(path), read.decodedPath);
      assert.equal(query.join('?'), read.query ?? '');
    });
  });

  it('by HAProxy, whose normalisation finds nothing to do', async () => {
    await eachSeen(upstreams.haproxy.name, (seen, { read }) => {
      assert.equal(seen.target, targetText(read));
      assert.equal(lastValue(seen.rawHeaders, 'understood-path'), read.path);
    });
  });

  it('by Python behind WSGI', async () => {
    await inParallel(accepted, 8, async ({ read }) => {
      const answer = await send(wsgi, once, { method: 'GET', target: targetText(read), headers: ['host', 'upstream'] });
      assert.equal(answer.status, 200);
      const seen = JSON.parse(answer.body) as WsgiSeen;
      assert.equal(seen.path, read.decodedPath);
      assert.deepEqual(seen.parameters, names(read));
    });
  });

  it('and is what the client meant: nginx understands the target as it was sent in the same way', async () => {
    const meant = accepted.map(({ number, sent, read }) => ({ number: number + 1_000_000, sent, read }));
    await inParallel(meant, 16, async ({ number, sent, read }) => {
      const target = sent.replace(/case-\d+/, `case-${number}`);
      await send(upstreams.nginx, agent, { method: 'GET', target, headers: ['host', 'upstream'] });
      const [seen] = upstreams.reporter.seen(upstreams.nginx.name, number);
      assert.ok(seen !== undefined, target);
      assert.equal(understoodPath(seen).replace(/case-\d+/, ''), read.decodedPath.replace(/case-\d+/, ''));
    });
  });

  /** Sends every accepted target on this way; one request must arrive for each. */
  async function eachSeen(name: string, check: (seen: Seen, accepted: Accepted) => void): Promise<void> {
    const way = upstreams.all.find((way) => way.name === name)!;
    await inParallel(accepted, 16, async (one) => {
      const answer = await send(way, agent, { method: 'GET', target: targetText(one.read), headers: ['host', 'upstream'] });
      assert.equal(answer.status, 200, `${one.sent} is refused`);
      const seen = upstreams.reporter.seen(name, one.number);
      assert.equal(seen.length, 1, one.sent);
      check(seen[0]!, one);
    });
    assert.equal(upstreams.reporter.count(name), accepted.length);
  }
});

function judge(family: TargetFamily): { accepted: readonly Accepted[]; refused: readonly string[] } {
  const accepted: Accepted[] = [];
  const refused: string[] = [];
  for (const target of family.targets) {
    number += 1;
    const sent = numbered(target, number);
    const read = canonicalTarget(sent);
    if (read instanceof GatewayFault) refused.push(sent);
    else accepted.push({ number, sent, read });
  }
  return { accepted, refused };
}

function names(read: CanonicalTarget): readonly string[] {
  return read.parameters.map(({ name }) => name);
}

function understoodPath(seen: Seen): string {
  return Buffer.from(lastValue(seen.rawHeaders, 'understood-path') ?? '', 'latin1').toString();
}

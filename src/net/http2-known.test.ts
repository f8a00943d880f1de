import assert from 'node:assert/strict';
import { connect, type ClientHttp2Session } from 'node:http2';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import { createDemoAuthority } from '../cli/demo/certificates.ts';
import { until, World } from './testing/http-world.ts';

/** A head that is known from before says who asks and what; whether that may be is asked each time. */

let world: World;
let ca: string;
let client: ClientHttp2Session;

before(async () => {
  const authority = await createDemoAuthority();
  const { certificate: cert, key } = await authority.issue(['localhost']);
  world = await World.open({ tls: { cert, key } });
  ca = authority.certificate;
});
beforeEach(() => {
  client = connect(`https://localhost:${world.listener.port}`, { ca, host: '127.0.0.1' } as object);
});
afterEach(() => client.close());

async function ask(token = 'good'): Promise<number> {
  const stream = client.request({ ':path': '/http/crm/a', authorization: `Bearer ${token}` });
  const status = new Promise<number>((resolve) => stream.on('response', (head) => resolve(Number(head[':status']))));
  stream.resume();
  await new Promise((resolve) => stream.on('close', resolve));
  return status;
}

const opened = (): number => world.ports.audit.types().filter((type) => type === 'session.opened').length;

/** The third time it is known for certain. */
async function known(): Promise<void> {
  for (let times = 0; times < 3; times += 1) assert.equal(await ask(), 200);
}

describe('who sends the same head again on a connection of HTTP/2', () => {
  it('goes on in the same session, under the policy in force', async () => {
    await known();
    assert.equal(opened(), 1);
    const { decision } = world.ports;
    world.ports.decision = { kind: 'deny', code: 'policy-denied', policies: ['no'], message: 'no' };
    assert.equal(await ask(), 403);
    world.ports.decision = decision;
    assert.equal(await ask(), 200);
    assert.equal(opened(), 1);
  });

  it('signs on again where the session has ended', async () => {
    await known();
    const before = opened();
    world.sessions.end(() => true, 'an operator says so');
    await until(() => world.sessions.list().length === 0);
    assert.equal(await ask(), 200);
    assert.equal(opened(), before + 1);
  });

  it('is refused where it is no longer accepted then', async () => {
    await known();
    world.sessions.end(() => true, 'an operator says so');
    await until(() => world.sessions.list().length === 0);
    const { connect: mayConnect } = world.ports;
    world.ports.connect = { kind: 'deny', code: 'policy-denied', policies: ['no'], message: 'no' };
    assert.equal(await ask(), 403);
    world.ports.connect = mayConnect;
  });

  it('with another token is somebody else', async () => {
    await known();
    const before = opened();
    assert.equal(await ask('good2'), 401);
    assert.equal(opened(), before);
  });
});

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/cli/demo/embedded-postgres.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { asciicast, readTimeline } from '../../src/recordings/index.ts';
import { eventually, run } from '../harness.ts';
import { kubectlVersions } from '../parts/kubectl.ts';
import { ensureDebian } from '../parts/debian.ts';
import { asSuperuser } from '../parts/older-bank.ts';
import { Site } from '../parts/site.ts';
import type { ApiServer } from './api-server/index.ts';
import type { TestConfig } from '../parts/test-gateway.ts';
import { pythonForwards } from './python/forward.ts';
import { startRelay, type Relay } from './relay.ts';
import { startKubernetesWorld, type KubernetesWorld } from './world.ts';

const card = '4111111111111111';
const policies = `
@id("everything")
permit (principal in Group::"deployers", action, resource);
@id("not this program")
forbid (principal, action, resource)
when { context has program && context.program == "forbidden" };
@id("not this path")
forbid (principal, action, resource)
when { context has path && context.path == "/secret" };
@id("opaque ports only by number")
forbid (principal, action == Action::"kubernetes:port-forward", resource)
when { context has opaque && context.opaque && context has destination_port && context.destination_port != 8080 && context.destination_port != 7070 };
@id("this port waits for a DBA")
@review("dba") @approvals("1") @expires("15m")
forbid (principal, action == Action::"kubernetes:port-forward", resource)
when { context has opaque && context has destination_port && context.destination_port == 7070 };
@id("deploys wait for a DBA")
@review("dba") @approvals("1") @expires("15m")
forbid (principal, action == Action::"kubernetes:exec", resource)
when { context has program && (context.program == "deploy.sh" || context.program == "nice") };
`;

function withClasses(config: TestConfig): void {
  config['data_classes'] = { card: { detect: 'card-number', mask: 'partial-last4' } };
}

function addPod(cluster: ApiServer, name: string): void {
  cluster.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: 'web' } },
    spec: { containers: [{ name: 'main', image: 'registry.example/web:1', command: ['sleep', '600'] }] },
  });
}

async function running(world: KubernetesWorld, name: string): Promise<void> {
  await eventually('the pod', () => {
    const pod = world.cluster.get('', 'pods', 'default', name) as { status?: { phase?: string } } | undefined;
    return pod?.status?.phase === 'Running' ? true : undefined;
  });
}

/** The record of how the last exec ended. */
async function lastCompletion(world: KubernetesWorld): Promise<Readonly<Record<string, unknown>>> {
  const decided = (await world.records(['operation.decided'])).filter(({ text }) => (text as string).includes('exec'));
  const id = decided.at(-1)?.['operation'];
  return eventually('its end on record', async () =>
    (await world.records(['operation.completed'])).find(({ operation }) => operation === id),
  );
}

async function pending(world: KubernetesWorld): Promise<readonly { readonly id: string; readonly text: string }[]> {
  const erin = await world.api('dba-erin');
  const found = await erin.get<{ approvals: readonly { readonly id: string; readonly text: string }[] }>('/api/v1/approvals', {
    state: 'pending',
  });
  return found.approvals;
}

describe('exec through the gateway', () => {
  let world: KubernetesWorld;
  before(async () => {
    world = await startKubernetesWorld({ policies, adjust: withClasses });
    addPod(world.cluster, 'web-1');
    await running(world, 'web-1');
  });
  after(() => world.close());

  for (const version of kubectlVersions) {
    it(`is masked, with its exit code intact (kubectl ${version})`, async () => {
      const kubectl = await world.kubectl(version, 'pipeline');
      const script = `printf 'paid with ${card.slice(0, 7)}'; printf '${card.slice(7)} ok\\n'; echo bad ${card} >&2; exit 7`;
      const ran = await kubectl.run(['exec', 'web-1', '--', 'sh', '-c', script]);
      assert.equal(ran.stdout, 'paid with ************1111 ok\n');
      assert.match(ran.stderr, /^bad \*{12}1111\n/);
      assert.equal(ran.status, 7);
      const ended = await lastCompletion(world);
      assert.deepEqual([ended['outcome'], ended['error_code'], ended['masked']], ['failed', 'exit 7', { card: 2 }]);
    });

    it(`takes input to its end (kubectl ${version})`, async () => {
      const kubectl = await world.kubectl(version, 'pipeline');
      const ran = await kubectl.run(['exec', '-i', 'web-1', '--', 'sh', '-c', 'tr a-z A-Z; exit 3'], { input: 'typed\nlines' });
      assert.deepEqual([ran.stdout, ran.status], ['TYPED\nLINES', 3]);
    });

    it(`on a terminal has its sizes and is recorded as one (kubectl ${version})`, async () => {
      const kubectl = await world.kubectl(version, 'pipeline');
      // A size arrives when it arrives, the first one too.
      const until = (size: string): string => `until stty size | grep -x '${size}'; do sleep 0.05; done`;
      const script = `${until('33 91')}; read word; ${until('40 100')}; stty -echo; echo quiet; read secret; stty echo; echo "[$word] ${card}"; exit 5`;
      const { status, shown } = await kubectl.onTerminal(
        ['exec', '-it', 'web-1', '--', 'sh', '-c', script],
        [
          { after: '33 91', type: 'word\r', size: '100 40' },
          { after: 'quiet', type: 'hunter2\r' },
        ],
      );
      assert.equal(status, 5, shown);
      assert.match(shown, /33 91[^]*word[^]*40 100[^]*\[word\] \*{12}1111/);
      const ended = await lastCompletion(world);
      const auditor = await world.api('auditor-uma');
      // The recording of a live session is written a moment later.
      const cast = await eventually('the end of the recording', async () => {
        const lines: string[] = [];
        const recording = auditor.bytes(`/api/v1/sessions/${String(ended['session'])}/recording`);
        await asciicast(readTimeline(recording), String(ended['operation']), (line) => lines.push(line));
        return lines.at(-1)?.includes('"x"') === true ? lines : undefined;
      });
      const [header, ...events] = cast.map((line) => JSON.parse(line) as Record<string, unknown> & unknown[]);
      assert.deepEqual([header!['version'], header!['term']], [3, { cols: 91, rows: 33 }]);
      const played = (code: string): string =>
        events
          .filter((event) => event[1] === code)
          .map((event) => String(event[2]))
          .join('');
      assert.match(played('o'), /\[word\] \*{12}1111/);
      assert.match(played('i'), /^word[\r\n]\*{7}[\r\n]$/);
      assert.equal(played('x'), '5');
      assert.ok(played('r').includes('100x40'));
      assert.ok(!cast.join('').includes(card) && !cast.join('').includes('hunter2'));
    });
  }

  for (const version of kubectlVersions) {
    it(`that people have approved goes on as if nobody had been asked: output, input, terminal, exit code (kubectl ${version})`, async () => {
      const kubectl = await world.kubectl(version, 'pipeline');
      const approved = async (): Promise<void> => {
        const [approval] = await eventually('the request', async () => {
          const found = await pending(world);
          return found.length > 0 ? found : undefined;
        });
        await (await world.api('dba-erin')).post(`/api/v1/approvals/${approval!.id}/approve`, { reason: 'fine' });
      };
      const held = async <T>(ran: Promise<T>): Promise<T> => (await Promise.all([ran, approved()]))[0];

      const plain = await held(kubectl.run(['exec', 'web-1', '--', 'nice', 'sh', '-c', `echo ${card}; echo bad >&2; exit 4`]));
      assert.deepEqual([plain.stdout, plain.status], ['************1111\n', 4]);
      assert.match(plain.stderr, /^bad\n/);

      const fed = await held(kubectl.run(['exec', '-i', 'web-1', '--', 'nice', 'sh', '-c', 'tr a-z A-Z; exit 3'], { input: 'typed' }));
      assert.deepEqual([fed.stdout, fed.status], ['TYPED', 3]);

      const onTerminal = kubectl.onTerminal(
        ['exec', '-it', 'web-1', '--', 'nice', 'sh', '-c', 'echo ready; read word; echo "[$word]"; exit 6'],
        [{ after: 'ready', type: 'word\r' }],
      );
      const { status, shown } = await held(onTerminal);
      assert.equal(status, 6, shown);
      assert.match(shown, /\[word\]/);
    });
  }

  it('that policy denies is a Status that kubectl shows', async () => {
    for (const version of kubectlVersions) {
      const kubectl = await world.kubectl(version, 'pipeline');
      const ran = await kubectl.run(['exec', 'web-1', '--', 'forbidden']);
      assert.equal(ran.status, 1);
      assert.match(ran.stderr, /Error from server \(Forbidden\)|forbidden/i);
      assert.match(ran.stderr, /Policy does not allow/);
    }
    assert.ok(
      world.cluster.audit.every(({ argv }) => argv?.[0] !== 'forbidden'),
      'nothing reached the cluster',
    );
  });

  it('ends when its session is ended, and says so', async () => {
    const kubectl = await world.kubectl('1.32', 'pipeline');
    const child = kubectl.start(['exec', 'web-1', '--', 'sh', '-c', 'echo begun; exec sleep 60']);
    await eventually('its output', () => child.stdout().includes('begun') || undefined);
    const platform = await world.api('platform-pia');
    const { sessions } = await platform.get<{ sessions: readonly { id: string }[] }>('/api/v1/sessions', { state: 'live' });
    for (const { id } of sessions) await platform.delete(`/api/v1/sessions/${id}`, { reason: 'runaway job' });
    const { status, stderr } = await child.done;
    assert.notEqual(status, 0);
    assert.match(stderr, /runaway job/);
  });

  it('does not run ahead of a reader that is slow, or gone', async () => {
    const kubectl = await world.kubectl('1.32', 'pipeline');
    const before = process.memoryUsage().rss;
    const command = `timeout 60 ${kubectl.program} exec web-1 -- yes 0123456789 | (sleep 2; head -c 2000000) | wc -c`;
    const ran = await run('sh', ['-c', command], { ...kubectl.env });
    assert.equal(ran.stdout.trim(), '2000000');
    assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024);
  });

  it('copies 16 MB there and back as they were, and nothing that masks would change', async () => {
    const kubectl = await world.kubectl('1.32', 'pipeline');
    const bytes = randomBytes(16 * 1024 * 1024);
    const [there, back] = [join(world.folder, 'there'), join(world.folder, 'back')];
    writeFileSync(there, bytes);
    assert.equal((await kubectl.run(['cp', there, 'web-1:copied'])).status, 0);
    assert.equal((await kubectl.run(['cp', 'web-1:copied', back])).status, 0);
    assert.equal(sha256(readFileSync(back)), sha256(bytes));
    await kubectl.run(['exec', 'web-1', '--', 'sh', '-c', `echo ${card} > cards`]);
    const refused = await kubectl.run(['cp', 'web-1:cards', join(world.folder, 'cards')]);
    assert.match(refused.stderr, /data class card/);
  });

  it('takes 24 MB of input through a program and back', async () => {
    const kubectl = await world.kubectl('1.20', 'pipeline');
    const file = join(world.folder, 'large');
    const bytes = randomBytes(24 * 1024 * 1024);
    writeFileSync(file, bytes);
    const child = spawn('timeout', ['90', kubectl.program, 'exec', '-i', 'web-1', '--', 'cat'], { env: kubectl.env });
    createReadStream(file).pipe(child.stdin);
    const hash = createHash('sha256');
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) hash.update(chunk);
    assert.equal(hash.digest('hex'), sha256(bytes));
  });
});

describe('an exec that waits for people', () => {
  for (const generation of ['current', 'spdy'] as const) {
    it(`is asked for once, whatever the target speaks (${generation})`, async () => {
      const world = await startKubernetesWorld({ policies, generation });
      try {
        addPod(world.cluster, 'web-1');
        await running(world, 'web-1');
        const setUp = await world.kubectl('1.32', 'pipeline');
        await setUp.run(['exec', '-i', 'web-1', '--', 'sh', '-c', 'cat > deploy.sh; chmod +x deploy.sh'], {
          input: '#!/bin/sh\necho deployed; exit 4\n',
        });
        const child = setUp.start(['exec', 'web-1', '--', 'env', 'PATH=/bin:/usr/bin:.', 'true']);
        assert.equal((await child.done).status, 0);
        const held = setUp.start(['exec', 'web-1', '--', 'deploy.sh']);
        const [approval] = await eventually('the request', async () => {
          const found = await pending(world);
          return found.length > 0 ? found : undefined;
        });
        assert.match(approval!.text, /exec in default\/web-1.*: deploy\.sh/);
        await (await world.api('dba-erin')).post(`/api/v1/approvals/${approval!.id}/approve`, { reason: 'fine' });
        const ran = await held.done;
        assert.equal((await pending(world)).length, 0, 'nobody is asked again');
        assert.equal((await world.records(['approval.requested'])).length, 1);
        assert.ok(
          world.cluster.audit.some(({ argv, upgrade }) => argv?.[0] === 'deploy.sh' && upgrade !== undefined),
          ran.stderr,
        );
      } finally {
        await world.close();
      }
    });
  }
});

describe('port-forward through the gateway', () => {
  const site = new Site('forwards');
  let world: KubernetesWorld;
  let bank: EmbeddedPostgres;
  before(async () => {
    ensureDebian(['python3-kubernetes']);
    bank = await startEmbeddedPostgres({ folder: join(site.folder, 'bank'), password: 'bank-password' });
    site.closers.push(() => bank.stop());
    const direct = { host: '127.0.0.1', port: bank.port, user: bank.superuser, password: bank.password, database: 'postgres' };
    await asSuperuser(direct, `create table customers (name text, pan text); insert into customers values ('jane', '${card}')`);
    const crm = await startCrm();
    site.closers.push(() => crm.close());
    process.env['FORWARD_TEST_PASSWORD'] = bank.password;
    const listen = await freePort();
    world = await startKubernetesWorld({
      policies,
      dial: (port) => ({ host: '127.0.0.1', port: port === 7070 || port === 8080 ? crm.port : port }),
      adjust(config) {
        withClasses(config);
        config['listeners']!['postgres'] = `127.0.0.1:${listen}`;
        const aks = config['targets']!['aks'] as Record<string, unknown>;
        aks['forwards'] = [
          { port: 5432, target: 'orders' },
          { port: 80, target: 'crm' },
        ];
        config['targets']!['crm'] = {
          protocol: 'http',
          upstream: { url: `http://127.0.0.1:${crm.port}`, tls: 'unsafe_disable' },
        };
        config['targets']!['orders'] = {
          protocol: 'postgres',
          upstream: {
            host: '127.0.0.1',
            port: bank.port,
            database: 'postgres',
            user: bank.superuser,
            password: 'env:FORWARD_TEST_PASSWORD',
            tls: 'unsafe_disable',
          },
        };
      },
    });
    addPod(world.cluster, 'web-1');
    await running(world, 'web-1');
  });
  after(async () => {
    await world.close();
    await site.close();
  });

  for (const version of kubectlVersions) {
    it(`a forwarded 5432 is still PostgreSQL under policy (kubectl ${version})`, async () => {
      const forwarding = (await world.kubectl(version, 'pipeline')).start(['port-forward', 'pod/web-1', ':5432']);
      try {
        const port = await eventually('a port', () => /127\.0\.0\.1:(\d+) ->/.exec(forwarding.stdout())?.[1]);
        const psql = async (sql: string, password: string, mode = 'disable') =>
          run('psql', ['-X', '-A', '-t', '-c', sql], {
            ...process.env,
            PGHOST: '127.0.0.1',
            PGPORT: port,
            PGUSER: 'ci',
            PGDATABASE: 'orders',
            PGPASSWORD: password,
            PGSSLMODE: mode,
          });
        const token = await world.token('pipeline');
        for (const mode of ['disable', 'require']) {
          const ran = await psql('select name, pan from customers', token, mode);
          assert.equal(ran.stdout, 'jane|************1111\n', ran.stderr);
        }
        const refused = await psql('select 1', 'no token');
        assert.match(refused.stderr, /authentication|credential|token/i);
        const sessions = await world.records(['session.opened']);
        assert.ok(sessions.some(({ target }) => target === 'orders'));
      } finally {
        forwarding.process.kill();
        await forwarding.done;
      }
    });

    it(`a forwarded 80 is still HTTP under policy (kubectl ${version})`, async () => {
      const forwarding = (await world.kubectl(version, 'pipeline')).start(['port-forward', 'pod/web-1', ':80']);
      try {
        const port = await eventually('a port', () => /127\.0\.0\.1:(\d+) ->/.exec(forwarding.stdout())?.[1]);
        const get = async (path: string, token?: string) =>
          fetch(`http://127.0.0.1:${port}${path}`, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });
        assert.equal((await get('/customers')).status, 401);
        const token = await world.token('pipeline');
        for (let time = 0; time < 3; time += 1) {
          const answer = await get('/customers', token);
          assert.deepEqual([answer.status, await answer.json()], [200, { path: '/customers', pan: '************1111' }]);
        }
        assert.equal((await get('/secret', token)).status, 403);
        const sessions = await world.records(['session.opened']);
        assert.ok(sessions.some(({ target }) => target === 'crm'));
      } finally {
        forwarding.process.kill();
        await forwarding.done;
      }
    });

    it(`any other port is opaque, and denied where policy says so (kubectl ${version})`, async () => {
      const forwarding = (await world.kubectl(version, 'pipeline')).start(['port-forward', 'pod/web-1', ':9']);
      try {
        const port = await eventually('a port', () => /127\.0\.0\.1:(\d+) ->/.exec(forwarding.stdout())?.[1]);
        await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
        await eventually('the reason', () => forwarding.stderr().includes('is refused') || undefined);
        const last = await eventually('its record', async () =>
          (await world.records(['operation.decided'])).findLast(({ text }) =>
            (text as string).startsWith('forward a connection to port 9 '),
          ),
        );
        const facts = last['facts'] as Record<string, unknown>;
        assert.deepEqual([last['decision'], facts['opaque']], ['deny', true]);
      } finally {
        forwarding.process.kill();
        await forwarding.done;
      }
    });
  }

  it('is the same over the channels of a WebSocket: each port by itself, and by the session of its own target (Python)', async () => {
    const { env } = await world.kubectl('1.32', 'pipeline');
    const headers = { Authorization: `Bearer ${await world.token('pipeline')}` };
    const requests = [
      ['GET', '/customers', 0],
      ['GET', '/secret', 0],
    ] as const;
    const before = world.cluster.audit.length;
    const [signedOn, unknown] = await pythonForwards(env, { pod: 'web-1', namespace: 'default' }, [
      { ports: [9, 80, 8080], requests, headers },
      { ports: [80], requests: [['GET', '/customers', 0]] },
    ]);
    const [shown, refused] = signedOn!['80']!.answers;
    assert.deepEqual([shown![0], JSON.parse(String(shown![1]))], [200, { path: '/customers', pan: '************1111' }]);
    assert.equal(refused![0], 403);
    assert.match(signedOn!['9']!.error!, /^forwarding port 9 is refused: .*opaque ports only by number/);
    assert.deepEqual(
      signedOn!['8080']!.answers.map(([status]) => status),
      [200, 200],
      'nothing looks into this one',
    );
    assert.equal(unknown!['80']!.answers[0]![0], 401);
    assert.deepEqual(
      world.cluster.audit.slice(before).flatMap(({ ports }) => ports),
      [8080],
      'the pod is asked for nothing else',
    );
    const decided = (await world.records(['operation.decided'])).filter(({ text }) => (text as string).startsWith('forward a connection'));
    assert.deepEqual(
      decided.slice(-4).map(({ facts, decision }) => {
        const { destination_port: port, opaque } = facts as Record<string, unknown>;
        return [port, opaque, decision];
      }),
      [
        [9, true, 'deny'],
        [80, false, 'allow'],
        [8080, true, 'allow'],
        [80, false, 'allow'],
      ],
    );
  });

  it('a port that takes nothing holds its client back, and another port of the same WebSocket goes on', async () => {
    const url = `${world.server.replace('https', 'wss')}/api/v1/namespaces/default/pods/web-1/portforward?ports=8080,8080`;
    const headers = { authorization: `Bearer ${await world.token('pipeline')}` };
    const webSocket = new WebSocket(url, ['v4.channel.k8s.io'], { ca: readFileSync(world.authorityFile), headers });
    let received = 0;
    let sent = 0;
    webSocket.on('message', (data: Buffer) => {
      if (data[0] === 2) received += data.length - 1;
    });
    await once(webSocket, 'open');
    const send = (channel: number, bytes: string | Buffer, done = (): void => {}): void =>
      webSocket.send(Buffer.concat([Buffer.of(channel), Buffer.from(bytes)]), done);
    const more = (): void => {
      if (sent < 64 * 1024 * 1024) send(0, Buffer.alloc(65_536), () => ((sent += 65_536), more()));
    };
    send(2, 'GET /when-told HTTP/1.1\r\nHost: crm\r\n\r\n');
    // What the port that takes nothing has in front of it holds up the whole way to the pod, as it does without a gateway.
    await eventually('the request', () => (told.listenerCount('now') === 1 ? true : undefined));
    send(0, `POST /unread HTTP/1.1\r\nHost: crm\r\nContent-Length: ${2 ** 40}\r\n\r\n`);
    more();
    let before = -1;
    const standsAt = await eventually('a stand', async () => {
      before = sent;
      await new Promise((resolve) => {
        setTimeout(resolve, 500);
      });
      return sent > 0 && sent === before ? sent : undefined;
    });
    assert.ok(standsAt < 32 * 1024 * 1024, `${standsAt} bytes were taken`);
    told.emit('now');
    await eventually('all of the answer', () => (received > 8_000_000 ? true : undefined));
    assert.equal(sent, standsAt);
    webSocket.terminate();
  });

  describe('over channels in base64', () => {
    let relay: Relay;
    const relayed = async (port: number, use: () => Promise<void>): Promise<void> => {
      relay = await startRelay({ ...world, token: await world.token('pipeline') }, 'web-1', port);
      try {
        await use();
      } finally {
        relay.close();
      }
    };

    it('PostgreSQL is still PostgreSQL under policy', () =>
      relayed(5432, async () => {
        const psql = async (sql: string, password: string) =>
          run('psql', ['-X', '-A', '-t', '-c', sql], {
            ...process.env,
            PGHOST: '127.0.0.1',
            PGPORT: String(relay.port),
            PGUSER: 'ci',
            PGDATABASE: 'orders',
            PGPASSWORD: password,
          });
        const ran = await psql('select name, pan from customers', await world.token('pipeline'));
        assert.equal(ran.stdout, 'jane|************1111\n', ran.stderr);
        assert.match((await psql('select 1', 'no token')).stderr, /authentication|credential|token/i);
      }));

    it('a port that waits for people is connected to when they have agreed, and what was sent meanwhile goes there then', () =>
      relayed(7070, async () => {
        const before = world.cluster.audit.flatMap(({ ports }) => ports).length;
        const answer = fetch(`http://127.0.0.1:${relay.port}/waited`);
        const [approval] = await eventually('the request', async () => {
          const found = await pending(world);
          return found.length > 0 ? found : undefined;
        });
        assert.match(approval!.text, /^forward a connection to port 7070 of default\/web-1/);
        assert.equal(world.cluster.audit.flatMap(({ ports }) => ports).length, before);
        await (await world.api('dba-erin')).post(`/api/v1/approvals/${approval!.id}/approve`, { reason: 'fine' });
        assert.deepEqual(await (await answer).json(), { path: '/waited', pan: card });
        assert.equal((await world.records(['approval.requested'])).length, 1);
      }));

    it('what was sent before the client closed still comes to the pod, all of it', () =>
      relayed(8080, async () => {
        const socket = connect(relay.port, '127.0.0.1');
        const body = 'x'.repeat(3_000_000);
        socket.end(`POST /left HTTP/1.1\r\nHost: crm\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        socket.resume();
        await eventually('all of it', () => (left === body.length ? true : undefined));
      }));
  });
});

/** How much of a body has come to the HTTP API, whoever has sent it. */
let left = 0;
const told = new EventEmitter();

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** An HTTP API that knows a card. */
async function startCrm(): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.url === '/unread') return;
    if (request.url === '/when-told') {
      told.once('now', () => response.end(Buffer.alloc(8_000_000)));
      return;
    }
    if (request.url === '/left') request.on('data', (chunk: Buffer) => (left += chunk.length));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ path: request.url, pan: card }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

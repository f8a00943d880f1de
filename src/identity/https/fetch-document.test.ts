import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, it } from 'node:test';
import { createFetchDocument, DocumentFault, type NetworkRules } from './fetch-document.ts';

const servers: Server[] = [];
const local: NetworkRules = { privateNetwork: true, unsafeHttp: true };
const strict: NetworkRules = { privateNetwork: false, unsafeHttp: false };

after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<URL> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`);
}

async function refused(url: URL, reason: string, rules = local, timeLimitMs = 5_000): Promise<void> {
  await assert.rejects(createFetchDocument(timeLimitMs)(url, rules), (error) => {
    assert.ok(error instanceof DocumentFault, String(error));
    assert.equal(error.reason, reason);
    return true;
  });
}

it('fetches a document of 256 KiB and says how long it may be kept', async () => {
  let asked: unknown;
  const url = await serve((request, response) => {
    asked = [
      request.method,
      request.headers.authorization,
      request.headers.cookie,
      request.headers['accept-encoding'],
      request.headers.connection,
    ];
    response.setHeader('cache-control', 'public, Max-Age=600, must-revalidate').end('x'.repeat(262_144));
  });
  const document = await createFetchDocument()(url, local);
  assert.deepEqual([document.body.length, document.maxAgeSeconds], [262_144, 600]);
  assert.deepEqual(asked, ['GET', undefined, undefined, 'identity', 'close']);
});

for (const [header, seconds] of [
  ['no-store', 0],
  ['max-age=60, no-cache', 0],
  ['max-age=0', 0],
  ['max-age="60"', 60],
  ['max-age=-5', undefined],
  ['max-age=1e9', undefined],
  ['s-maxage=60', undefined],
  ['x, ,=,max-age', undefined],
] as const) {
  it(`reads cache-control: ${header} as ${seconds}`, async () => {
    const url = await serve((_, response) => response.setHeader('cache-control', header).end('{}'));
    assert.equal((await createFetchDocument()(url, local)).maxAgeSeconds, seconds);
  });
}

for (const status of [301, 302, 303, 307, 308]) {
  it(`follows no ${status}`, async () => {
    const paths: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      paths.push(request.url);
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
    await refused(url, 'redirect');
    assert.deepEqual(paths, ['/keys']);
  });
}

for (const status of [204, 400, 404, 500, 503]) {
  it(`refuses status ${status}`, async () => {
    await refused(await serve((_, response) => response.writeHead(status).end()), 'status');
  });
}

it('refuses one byte more than 256 KiB, announced or not', async () => {
  const body = 'x'.repeat(262_145);
  await refused(await serve((_, response) => response.setHeader('content-length', body.length).end(body)), 'too-large');
  await refused(await serve((_, response) => response.writeHead(200).end(body)), 'too-large');
});

it('stops reading an endless answer at the limit', async () => {
  let sent = 0;
  const url = await serve((_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536))) sent += 65_536;
    };
    response.on('drain', more);
    more();
  });
  await refused(url, 'too-large');
  assert.ok(sent < 64 * 1_048_576);
});

it('gives up on a server that never answers, and on one that trickles', async () => {
  await refused(await serve(() => undefined), 'time-limit', local, 100);
  const trickle = await serve((_, response) => {
    const timer = setInterval(() => response.write('x'), 10);
    response.on('close', () => clearInterval(timer));
  });
  await refused(trickle, 'time-limit', local, 200);
});

it('refuses an answer that was cut', async () => {
  await refused(
    await serve((_, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('half');
      setImmediate(() => response.destroy());
    }),
    'network',
  );
});

it('refuses content encodings', async () => {
  await refused(await serve((_, response) => response.setHeader('content-encoding', 'gzip').end('{}')), 'encoded');
});

it('refuses where nothing listens', async () => {
  const url = await serve(() => undefined);
  servers.at(-1)?.close();
  await refused(url, 'network');
});

const places: readonly (readonly [url: string, rules: NetworkRules, reason: string])[] = [
  ['http://127.0.0.1:9/', strict, 'url-refused'],
  ['http://127.0.0.1:9/', { privateNetwork: true, unsafeHttp: false }, 'url-refused'],
  ['http://10.0.0.1:9/', local, 'address-refused'],
  ['http://8.8.8.8:9/', local, 'address-refused'],
  ['https://127.0.0.1:9/', strict, 'address-refused'],
  ['https://127.1:9/', strict, 'address-refused'],
  ['https://0x7f.1:9/', strict, 'address-refused'],
  ['https://[::1]:9/', strict, 'address-refused'],
  ['https://[::ffff:127.0.0.1]:9/', strict, 'address-refused'],
  ['https://10.0.0.1/', strict, 'address-refused'],
  ['https://169.254.169.254/', strict, 'address-refused'],
  ['https://169.254.169.254/', local, 'address-refused'],
  ['https://[fe80::1]/', local, 'address-refused'],
  ['https://localhost:9/', strict, 'address-refused'],
  ['https://user:secret@127.0.0.1:9/', local, 'url-refused'],
  ['file:///etc/passwd', local, 'url-refused'],
  ['data:application/json,{}', local, 'url-refused'],
];

for (const [url, rules, reason] of places) {
  it(`refuses ${url} with ${JSON.stringify(rules)}: ${reason}`, async () => {
    await refused(new URL(url), reason, rules);
  });
}

it('a name is judged by the address that it leads to, http by loopback alone', async () => {
  const url = await serve((_, response) => response.end('{}'));
  url.hostname = 'localhost';
  const document = await createFetchDocument()(url, { privateNetwork: false, unsafeHttp: true });
  assert.equal(document.body.length, 2);
});

it('speaks TLS to https URLs and nothing else', async () => {
  const url = await serve((_, response) => response.end('{}'));
  url.protocol = 'https:';
  await refused(new URL(url.href.replace('http:', 'https:')), 'network');
});

import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDemoAuthority, type DemoAuthority } from '../../../src/cli/demo/certificates.ts';
import { bodyOf, startHouse, type House } from '../house.ts';

/** An API that is asked directly and through the gateway, which hides nothing of it: what clients hear must be the same. */
export interface Matrix {
  readonly house: House;
  readonly direct: string;
  close(): Promise<void>;
}

export async function startMatrix(): Promise<Matrix> {
  const authority: DemoAuthority = await createDemoAuthority();
  const { certificate: cert, key } = await authority.issue(['localhost']);
  const server: Server = createServer({ cert, key }, (request, response) => void answer(request, response));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const direct = `https://localhost:${(server.address() as AddressInfo).port}/v2`;
  const house = await startHouse({
    handle: (_request, response) => response.end(),
    authority,
    policies,
    adjust(config) {
      (config['targets']!['crm'] as { upstream: Record<string, unknown> }).upstream['url'] = direct;
      config['data_classes'] = {};
    },
  });
  return {
    house,
    direct,
    async close() {
      await house.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What it says depends on nothing but the request. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'https://localhost');
  const body = await bodyOf(request);
  switch (url.pathname) {
    case '/v2/json':
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ id: 7, name: 'Élodie', query: url.search }));
      return;
    case '/v2/echo':
      response.writeHead(request.method === 'PUT' ? 201 : 200, { 'content-type': request.headers['content-type'] ?? 'text/plain' });
      response.end(`${request.method} ${body.length}: ${body}`);
      return;
    case '/v2/large':
      response.writeHead(200, { 'content-type': 'text/plain' });
      for (let part = 0; part < 64; part += 1) response.write(`${String(part).padStart(4, '0')} `.repeat(4_096));
      response.end();
      return;
    case '/v2/moved':
      response.writeHead(302, { location: '/v2/json' }).end();
      return;
    case '/v2/nothing':
      response.writeHead(204).end();
      return;
    case '/v2/missing':
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"no such thing"}');
      return;
    default:
      response.writeHead(200, { 'content-type': 'text/plain' }).end(`${request.method} ${decodeURIComponent(url.pathname)}`);
  }
}

const policies = `@id("all but deletes")
permit (principal in Group::"deployers", action in [Action::"connect", Action::"read", Action::"write"], resource);
@id("deletes wait for a DBA") @review("dba") @expires("15m")
forbid (principal, action == Action::"http:delete", resource);
`;

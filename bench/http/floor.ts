import { readFileSync } from 'node:fs';
import { Agent, request as requestUpstream } from 'node:http';
import { createServer } from 'node:https';
import { connect } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

/**
 * The least that a proxy on Node can do: TLS with the client, none with the API.
 *
 *     node bench/http/floor.ts http|bytes PORT UPSTREAM-PORT CERTIFICATE KEY
 *
 * `http`: a reverse proxy of `node:http` on both sides, which looks at nothing. `bytes`: bytes in, the same bytes out. What is between nginx and these is what the platform
 * costs; what is between these and the gateway is what the gateway costs.
 */
const [kind, port, upstreamPort, certificate, key] = process.argv.slice(2) as [string, string, string, string, string];
const tls = { cert: readFileSync(certificate), key: readFileSync(key) };
const upstream = { host: '127.0.0.1', port: Number(upstreamPort) };

if (kind === 'http') {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 64 });
  createServer(tls, (request, response) => {
    const { method, url: path, rawHeaders: headers } = request;
    const forwarded = requestUpstream({ ...upstream, agent, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    });
    forwarded.on('error', () => response.destroy());
    request.pipe(forwarded);
  }).listen(Number(port), '127.0.0.1');
} else {
  createTlsServer(tls, (client) => {
    const target = connect({ ...upstream, noDelay: true });
    client.setNoDelay(true);
    client.on('data', (bytes) => target.write(bytes));
    target.on('data', (bytes) => client.write(bytes));
    client.on('error', () => target.destroy()).on('close', () => target.destroy());
    target.on('error', () => client.destroy()).on('close', () => client.destroy());
  }).listen(Number(port), '127.0.0.1');
}

import { readFileSync } from 'node:fs';
import { Agent, request as requestUpstream, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { connect } from 'node:net';
import type { HeaderField } from '../../src/protocols/request.ts';
import { Http1Connection } from '../../src/net/http1-connection.ts';
import type { Http1Answer } from '../../src/net/http1-answer.ts';
import { Http1Idle } from '../../src/net/http1-idle.ts';
import { dial } from '../../src/net/upstream.ts';
import { BareRecords } from '../postgres/bare-records.ts';
import { createServer as createTlsServer } from 'node:tls';

/**
 * The least that a proxy on Node can do: TLS with the client, none with the API.
 *
 *     node bench/http/floor.ts http|bytes|records PORT UPSTREAM-PORT CERTIFICATE KEY [FOLDER]
 *
 * `http`: a reverse proxy of `node:http` on both sides, which looks at nothing. `bytes`: bytes in, the same bytes out. `records`: `node:http` towards the client, the gateway's own
 * connections towards the API, and two ready-made records for each request, as `bench/postgres/bare-records.ts` keeps them; no answer is shown before the record of its request is written.
 * What is between nginx and these is what the platform costs; what is between these and the gateway is what the gateway costs.
 */
const [kind, port, upstreamPort, certificate, key, folder] = process.argv.slice(2) as [string, string, string, string, string, string];
/** Of a request with a small answer, in the log's format. */
const recordBytes = { decided: 690, completed: 330 };
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
} else if (kind === 'records') {
  const records = new BareRecords(folder, 'process', recordBytes);
  const idle = new Http1Idle();
  const opened = async (): Promise<Http1Connection> =>
    new Http1Connection(
      await dial({ ...upstream, tls: undefined }),
      (connection) => idle.put(connection),
      (connection) => idle.remove(connection),
    );
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url: target = '/', rawHeaders } = request;
    const fields: HeaderField[] = [];
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = rawHeaders[at]!.toLowerCase();
      if (name !== 'host' && name !== 'connection') fields.push({ name, value: rawHeaders[at + 1]! });
    }
    const asked = records.append('decided');
    const connection = idle.take() ?? (await opened());
    const sent = connection.send({ method, target, fields, body: { kind: 'none' }, host: '127.0.0.1', upgrades: false });
    const answer = (await sent) as Http1Answer;
    records.append('completed');
    records.whenDurable(asked, () => {
      response.writeHead(
        answer.status,
        answer.fields.flatMap(({ name, value }) => [name, value]),
      );
      if (answer.whole === undefined) answer.body.pipe(response);
      else response.end(Buffer.from(answer.whole).toString('latin1'), 'latin1');
    });
  };
  createServer({ ...tls, optimizeEmptyRequests: true }, (request, response) => void serve(request, response)).listen(
    Number(port),
    '127.0.0.1',
  );
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

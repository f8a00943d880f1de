import { readFileSync } from 'node:fs';
import { connect, createSecureServer, type OutgoingHttpHeaders } from 'node:http2';
import { BareRecords } from '../postgres/bare-records.ts';

/**
 * The least that a proxy on `node:http2` can do: streams in, the same streams out on one connection, looked at by nobody; TLS with the client, none with the target. What is
 * between nginx and this is what the platform costs; what is between this and the gateway is what the gateway costs.
 *
 *     node bench/grpc/relay.ts PORT UPSTREAM-PORT CERTIFICATE KEY
 *
 * The same that also keeps two records for each call, and shows no answer before the call's record is durable: what is between this and the bare relay is what a
 * record costs at least.
 *
 *     node bench/grpc/relay.ts PORT UPSTREAM-PORT CERTIFICATE KEY FOLDER disk|process DECIDED-BYTES COMPLETED-BYTES
 */
const [port, upstreamPort, certificate, key] = process.argv.slice(2, 6) as [string, string, string, string];
const [folder, durability, decided, completed] = process.argv.slice(6);
const records =
  folder === undefined
    ? undefined
    : new BareRecords(folder, durability as 'disk' | 'process', { decided: Number(decided), completed: Number(completed) });

const upstream = connect(`http://127.0.0.1:${upstreamPort}`);
createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) })
  .on('stream', (client, headers) => {
    const asked = records?.append('decided') ?? 0;
    const target = upstream.request(headers);
    records?.flush();
    client.pipe(target);
    let trailers: OutgoingHttpHeaders = {};
    target.on('trailers', (sent) => (trailers = sent));
    target.on('response', (sent) => {
      const answer = (): void => {
        client.respond(sent, { waitForTrailers: true });
        target.pipe(client);
      };
      records?.append('completed');
      if (records === undefined) answer();
      else records.whenDurable(asked, answer);
    });
    client.on('wantTrailers', () => client.sendTrailers(trailers));
    client.on('error', () => target.destroy());
    target.on('error', () => client.destroy());
  })
  .listen(Number(port), '127.0.0.1');

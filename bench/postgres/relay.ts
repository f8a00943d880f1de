import { connect, createServer } from 'node:net';

/**
 * The least that a proxy on `node:net` can do: bytes in, the same bytes out, looked at by nobody. What is between this and HAProxy or pgbouncer
 * is what the platform costs; what is between this and the gateway is what the gateway costs.
 *
 *     node bench/postgres/relay.ts PORT UPSTREAM-PORT
 */
const [port, upstreamPort] = process.argv.slice(2).map(Number) as [number, number];

createServer({ noDelay: true }, (client) => {
  const upstream = connect({ host: '127.0.0.1', port: upstreamPort, noDelay: true });
  client.on('data', (bytes) => upstream.write(bytes));
  upstream.on('data', (bytes) => client.write(bytes));
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}).listen(port, '127.0.0.1');

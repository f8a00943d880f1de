import { connect, createServer } from 'node:net';
import { BareRecords } from './bare-records.ts';

/**
 * The least that a proxy on `node:net` can do: bytes in, the same bytes out, looked at by nobody. What is between this and HAProxy or pgbouncer
 * is what the platform costs; what is between this and the gateway is what the gateway costs.
 *
 *     node bench/postgres/relay.ts PORT UPSTREAM-PORT
 *
 * The same that also keeps two records for each question and answer, and shows no answer before the question's record is durable: what
 * is between this and the bare relay is what a record costs at least.
 *
 *     node bench/postgres/relay.ts PORT UPSTREAM-PORT FOLDER disk|process DECIDED-BYTES COMPLETED-BYTES
 */
const [port, upstreamPort] = process.argv.slice(2, 4).map(Number) as [number, number];
const [folder, durability, decided, completed] = process.argv.slice(4);
const records =
  folder === undefined
    ? undefined
    : new BareRecords(folder, durability as 'disk' | 'process', { decided: Number(decided), completed: Number(completed) });

createServer({ noDelay: true }, (client) => {
  const upstream = connect({ host: '127.0.0.1', port: upstreamPort, noDelay: true });
  if (records === undefined) {
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => client.write(bytes));
  } else {
    let asked = 0;
    client.on('data', (bytes) => {
      asked = records.append('decided');
      upstream.write(bytes);
      records.flush();
    });
    upstream.on('data', (bytes) => {
      records.append('completed');
      records.whenDurable(asked, () => client.write(bytes));
    });
  }
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}).listen(port, '127.0.0.1');

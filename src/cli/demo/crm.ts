import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import type { PemPair } from './certificates.ts';

/** The bank's customers over HTTP: an API as many stand beside a database, with one key that opens all of it. */
export interface Crm {
  readonly port: number;
  close(): Promise<void>;
}

export interface CrmOptions {
  /** Of the bank's database. */
  readonly connection: pg.ClientConfig;
  readonly tls: PemPair;
  /** The only key that it takes, as `Authorization: Bearer`. */
  readonly key: string;
}

/** `GET /customers/7`, `GET /customers?first=7`, `DELETE /customers/7`, on loopback with TLS. */
export async function startCrm({ connection, tls, key }: CrmOptions): Promise<Crm> {
  const pool = new pg.Pool({ ...connection, max: 4 });
  pool.on('error', () => {});
  const server = createServer({ cert: tls.certificate, key: tls.key }, (request, response) => {
    answer(request, pool, key).then(
      ({ status, body }) => send(response, status, body),
      () => send(response, 500, { error: 'the database does not answer' }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => closed(server, pool) };
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function answer(request: IncomingMessage, pool: pg.Pool, key: string): Promise<Answer> {
  if (request.headers.authorization !== `Bearer ${key}`) return { status: 401, body: { error: 'a key is needed' } };
  const url = new URL(request.url ?? '/', 'https://localhost');
  const [, id] = /^\/customers\/(\d{1,6})$/.exec(url.pathname) ?? [];
  if (id === undefined && url.pathname !== '/customers') return { status: 404, body: { error: 'no such path' } };
  if (request.method === 'GET') {
    if (id === undefined) return { status: 200, body: await customers(pool, Number(url.searchParams.get('first') ?? 1), 10) };
    const [customer] = await customers(pool, Number(id), 1);
    return customer === undefined ? { status: 404, body: { error: 'no such customer' } } : { status: 200, body: customer };
  }
  if (request.method !== 'DELETE' || id === undefined) return { status: 405, body: { error: 'not done here' } };
  const { rowCount } = await pool.query('delete from customers where id = $1', [Number(id)]);
  return { status: rowCount === 1 ? 200 : 404, body: { deleted: rowCount } };
}

/** From this one on, with the number of a card in a text that nobody declared. */
async function customers(pool: pg.Pool, first: number, count: number): Promise<readonly unknown[]> {
  const { rows } = await pool.query<Record<string, unknown>>(
    `select k.id, k.name, k.email, k.ssn, 'called about card ' || c.pan as note
       from customers k left join lateral
         (select c.pan from accounts a join cards c on c.account_id = a.id where a.customer_id = k.id order by c.id limit 1) c on true
      where k.id >= $1 order by k.id limit $2`,
    [first, count],
  );
  return rows;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}

async function closed(server: Server, pool: pg.Pool): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  await pool.end();
}

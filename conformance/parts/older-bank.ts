import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { createBank } from '../../src/cli/demo/bank.ts';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import { startPostgres15 } from './postgres15.ts';
import type { Site } from './site.ts';

/** The demo's bank in a PostgreSQL 15 of its own, over TLS, for a gateway that has the same in a PostgreSQL 18 already. */
export interface OlderBank {
  /** As the server's superuser. */
  readonly admin: pg.ClientConfig;
  /** Of the role `gateway`. */
  readonly password: string;
  readonly authorityFile: string;
  /** The same target at this server, for the gateway's configuration. */
  target<Target extends { upstream: object }>(target: Target): Target;
}

export async function startOlderBank(site: Site): Promise<OlderBank> {
  const authority = await createDemoAuthority();
  const authorityFile = join(site.folder, 'ca15.crt');
  writeFileSync(authorityFile, authority.certificate);
  const server = await startPostgres15({ folder: join(site.folder, 'postgres15'), tls: await authority.issue(['localhost']) });
  site.closers.push(() => server.stop());
  const admin = { host: '127.0.0.1', port: server.port, user: server.user, password: server.password };
  const password = 'the-older-gateway-password';
  await createBank({ ...admin, database: 'postgres' }, { user: 'gateway', password });
  return {
    admin,
    password,
    authorityFile,
    target: (target) => ({
      ...target,
      upstream: {
        ...target.upstream,
        port: server.port,
        ca: `file:${authorityFile}`,
        password: undefined,
        unsafe_password: password,
      },
    }),
  };
}

export async function asSuperuser(connection: pg.ClientConfig, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

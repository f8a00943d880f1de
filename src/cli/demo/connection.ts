import type { DemoWorld } from './world.ts';

/** A libpq connection string as whoever holds a token uses it: no secret in it. Nothing in it has to be quoted. */
export function connectionString(world: DemoWorld, user: string): string {
  return `host=localhost port=${world.postgresPort} dbname=orders user=${user} sslmode=verify-full sslrootcert=${world.authorityFile}`;
}

export { createPostgresSession } from './session.ts';
export type { PostgresEnvironment, PostgresTarget } from './environment.ts';
export type { SchemaCatalogue } from './schema-catalogue.ts';

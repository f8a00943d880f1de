export { createPostgresSession } from './session.ts';
export type { PostgresEnvironment, PostgresTarget } from './environment.ts';

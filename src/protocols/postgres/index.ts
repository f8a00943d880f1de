export { createPostgresSession } from './session.ts';
export { Definitions, type Definition } from './definitions.ts';
export type { PostgresEnvironment, PostgresTarget } from './environment.ts';

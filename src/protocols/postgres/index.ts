export { createPostgresSession } from './session.ts';
export { Definitions, type Definition } from './definitions.ts';
export type { Footprint } from './footprint.ts';
export type { Unsettled } from './unsettled.ts';
export type { PostgresEnvironment, PostgresTarget } from './environment.ts';

export type { Secret } from './secret.ts';
export { ConfigError } from './problem.ts';
export { loadConfig } from './load.ts';
export type { HttpTargetConfig } from './http-target.ts';
export type { PostgresTargetConfig } from './postgres-target.ts';
export type { RequestTargetConfig, TargetConfig } from './targets.ts';
export type { Config } from './types.ts';
export { packConfig, unpackConfig, type PackedConfig } from './packed.ts';
export { ConfigWatcher, RestartNeeded } from './watch.ts';

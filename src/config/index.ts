export type { Secret } from './secret.ts';
export { ConfigError } from './problem.ts';
export { loadConfig } from './load.ts';
export type { Config, HttpTargetConfig, PostgresTargetConfig, TargetConfig } from './types.ts';
export { packConfig, unpackConfig, type PackedConfig } from './packed.ts';
export { ConfigWatcher, RestartNeeded } from './watch.ts';

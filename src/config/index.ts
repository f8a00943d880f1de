export { ConfigError, type ConfigProblem } from './problem.ts';
export { loadConfig, type LoadOptions } from './load.ts';
export { Secret } from './secret.ts';
export type {
  ColumnPathConfig,
  Config,
  DataClassConfig,
  IssuerConfig,
  ListenAddress,
  PostgresUpstream,
  RoleName,
  RolesConfig,
  TargetConfig,
} from './types.ts';
export { ConfigWatcher, RestartNeeded, type WatchOptions } from './watch.ts';

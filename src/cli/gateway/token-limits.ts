import type { Config } from '../../config/index.ts';

export function tokenLimits({ credentials }: Config) {
  return { maxLifetimeMs: credentials.maxLifetimeMs, outliveOidcToken: credentials.outliveToken };
}

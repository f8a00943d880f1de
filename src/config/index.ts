export type {
  AuditConfig,
  ColumnPathConfig,
  Config,
  DataClassConfig,
  GatewayConfig,
  IssuerConfig,
  ListenAddress,
  ListenersConfig,
  PoliciesConfig,
  PostgresUpstream,
  RecogniserName,
  RoleName,
  RolesConfig,
  TargetConfig,
} from './types.ts';
export { Secret } from './secret.ts';

export { createIdentity, type GatewayTokenLimits, type Identity, type IdentityOptions } from './identity.ts';
export { IssuerConfigError } from './issuer.ts';
export type { IssuerConfig } from './types.ts';
export type { ExchangeAnswer, FormParameters } from './exchange.ts';
export type { GatewayTokenStore, StoredGatewayToken } from './gateway-token.ts';
export { createSqliteGatewayTokenStore } from './sqlite/gateway-token-store.ts';

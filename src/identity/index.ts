export { createIdentity, type Identity } from './identity.ts';
export { IssuerConfigError } from './issuer.ts';
export type { ExchangeAnswer } from './exchange.ts';
export type { GatewayTokenStore, StoredGatewayToken } from './gateway-token.ts';
export { createSqliteGatewayTokenStore } from './sqlite/gateway-token-store.ts';

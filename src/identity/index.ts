export { createIdentity, type Identity } from './identity.ts';
export { IssuerConfigError } from './issuer.ts';
export type { ExchangeAnswer } from './exchange.ts';
export type { GatewayTokenStore } from './gateway-token.ts';
export type { IssuedCredential } from './issued.ts';
export type { SshKeyStore } from './ssh-key.ts';
export { createSqliteCredentialStores } from './sqlite/index.ts';

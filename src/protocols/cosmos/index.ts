import type { RequestProtocol } from '../request.ts';
import { askCosmos } from './ask.ts';
import type { CosmosEnvironment } from './environment.ts';
import { cosmosError } from './fault.ts';
import { cosmosCredentialOf } from './identify.ts';
import { readCosmosTarget } from './read-target.ts';

export type { CosmosTarget } from './environment.ts';
export { authorizationOf, signedText } from './signature.ts';

export const cosmosProtocol: RequestProtocol<CosmosEnvironment> = {
  name: 'cosmos',
  place: 'cosmos',
  recognises: ({ fields, authorization }) =>
    fields.some(({ name }) => name === 'x-ms-version') || /^type(?:=|%3d)(?:aad|master|resource)/i.test(authorization ?? ''),
  // An item has at most 2 MB, and so has a batch.
  gathers: 2_621_440,
  tellsHeld: true,
  identify: cosmosCredentialOf,
  readTarget: readCosmosTarget,
  ask: askCosmos,
  fault: cosmosError,
};

import type { HttpTargetConfig } from '../config/index.ts';
import { listedOperations, type HttpTarget } from '../protocols/http/index.ts';

/** What the API document of a target lists. */
export function operationsOf({ openapi }: HttpTargetConfig): HttpTarget['operations'] {
  return openapi === undefined ? undefined : listedOperations(openapi.operations, openapi.unlisted);
}

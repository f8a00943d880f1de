import type { Part } from '../part.ts';
import { clientPart } from './matrix/requests.ts';
import { holdPart } from './matrix/holds.ts';
import { suitePart } from './matrix/suites.ts';

/** The parts of `npm run conformance -- http`, in the order in which they run. */
export const httpParts: readonly Part[] = [clientPart, holdPart, suitePart];

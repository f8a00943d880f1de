import type { Part } from '../part.ts';
import { currentPart } from './current/part.ts';
import { filesPart } from './files-part.ts';
import { matrixParts } from './matrix/part.ts';

/** The parts of `npm run conformance -- ssh`, in the order in which they run. */
export const sshParts: readonly Part[] = [...matrixParts, filesPart, currentPart];

import type { Part } from '../part.ts';
import { kubectlParts } from './matrix/part.ts';
import { realParts } from './real/part.ts';

/** The parts of `npm run conformance -- kubernetes`, in the order in which they run. */
export const kubernetesParts: readonly Part[] = [...kubectlParts, ...realParts];

import type { Part } from '../part.ts';
import { drivers } from './drivers/part.ts';
import { regress } from './regress/index.ts';
import { tools } from './tools/part.ts';

/** The parts of `npm run conformance -- postgres`, in the order in which they run. */
export const postgresParts: readonly Part[] = [drivers, tools, regress];

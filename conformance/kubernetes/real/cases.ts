import { matrixCases } from '../matrix/part.ts';
import type { MatrixCase } from '../matrix/case.ts';

/** What can be done at Kubernetes 1.20, with a node or without. */
export function realCases(hasNode: boolean): readonly MatrixCase[] {
  return matrixCases
    .filter(({ name, needsNode }) => (hasNode || needsNode !== true) && !LATER.has(name))
    .map((one) => (one.name in FAILING ? { ...one, failing: [...(one.failing ?? []), ...FAILING[one.name]!] } : one));
}

/** Of which Kubernetes 1.20 knows an alpha form alone. */
export const LATER: ReadonlySet<string> = new Set(['debug']);
/** What its API does not have. */
const FAILING: Readonly<Record<string, readonly string[]>> = { 'auth whoami, create token': ['who am i'] };

import { describedPodFacts, joinedFacts, unknownPod, type PodFacts } from './pod-facts.ts';

/** One operation of a JSON patch (RFC 6902). */
export interface PatchOperation {
  readonly op: string;
  /** Tokens of its pointer (RFC 6901). */
  readonly path: readonly string[];
  /** Of copy and move. */
  readonly from: readonly string[] | undefined;
  readonly value: unknown;
}

/** Undefined for what is no JSON patch. */
export function readPatch(value: unknown): readonly PatchOperation[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const operations: PatchOperation[] = [];
  for (const one of value as unknown[]) {
    if (typeof one !== 'object' || one === null) return undefined;
    const { op, path, from, value: given } = one as Readonly<Record<string, unknown>>;
    const moves = op === 'copy' || op === 'move';
    if (typeof op !== 'string' || !OPERATIONS.has(op) || typeof path !== 'string' || (moves && typeof from !== 'string')) return undefined;
    operations.push({ op, path: tokens(path), from: moves ? tokens(from as string) : undefined, value: given });
  }
  return operations;
}

/** What operations take without naming it: the values that they copy or move to another place, or ask about. */
export function blindSources(operations: readonly PatchOperation[]): readonly (readonly string[])[] {
  return operations.map(({ op, path, from }) => (op === 'test' ? path : from)).filter((pointer) => pointer !== undefined);
}

/** A token that can be an index of a list, as Go reads numbers; `-` is behind its end. */
export function isIndex(token: string): boolean {
  return /^(?:-|[-+]?\d+)$/.test(token);
}

/** What a JSON patch makes of pods: each value as it would stand, where it would stand. What is copied into a pod is not known. */
export function patchedPodFacts(operations: readonly PatchOperation[]): PodFacts | undefined {
  return joinedFacts(
    operations.flatMap((operation): PodFacts[] => {
      const { op, path, from, value } = operation;
      if (op === 'test') return [];
      if (from !== undefined) return [path, from].some((one) => one.length === 0 || one.includes('spec')) ? [unknownPod] : [];
      const facts = describedPodFacts(standing(path, op === 'remove' ? null : value), true);
      return facts === undefined ? [] : [facts];
    }),
  );
}

/** A document that has nothing but this value at this place. */
function standing(path: readonly string[], value: unknown): unknown {
  return path.reduceRight<unknown>((inner, token) => (/^(?:-|\d+)$/.test(token) ? [inner] : { [token]: inner }), value);
}

function tokens(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

const OPERATIONS: ReadonlySet<string> = new Set(['add', 'remove', 'replace', 'copy', 'move', 'test']);

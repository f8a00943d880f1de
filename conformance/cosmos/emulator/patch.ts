import { badRequest } from './answer.ts';
import { parseCondition } from './query/parse.ts';
import { rowsOf } from './query/evaluate.ts';
import { preconditionFailed, type Item } from './store.ts';

interface PatchOperation {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** Partial document update: add, set, replace, remove, incr, move, and a condition. */
export function patched(item: Item, body: unknown): Item {
  const whole = (Array.isArray(body) ? { operations: body } : body) as { operations?: readonly PatchOperation[]; condition?: string };
  if (!Array.isArray(whole.operations)) throw badRequest('The patch request has no operations.');
  if (whole.condition !== undefined && rowsOf(parseCondition(whole.condition), [item], new Map()).length === 0) throw preconditionFailed();
  const copy = structuredClone<Record<string, unknown> & Item>(item);
  for (const operation of whole.operations as readonly PatchOperation[]) apply(copy, operation);
  return copy;
}

function apply(item: Record<string, unknown>, { op, path, from, value }: PatchOperation): void {
  const { parent, key } = place(item, path);
  const list = Array.isArray(parent) ? (parent as unknown[]) : undefined;
  const known = list === undefined ? (parent as Record<string, unknown>)[key] : list[Number(key)];
  switch (op) {
    case 'add':
      if (list !== undefined) list.splice(key === '-' ? list.length : Number(key), 0, value);
      else (parent as Record<string, unknown>)[key] = value;
      return;
    case 'set':
      (parent as Record<string, unknown>)[key] = value;
      return;
    case 'replace':
      if (known === undefined) throw badRequest(`For Replace operation, the target path must exist: ${path}`);
      (parent as Record<string, unknown>)[key] = value;
      return;
    case 'remove':
      if (known === undefined) throw badRequest(`For Remove operation, the target path must exist: ${path}`);
      if (list === undefined) delete (parent as Record<string, unknown>)[key];
      else list.splice(Number(key), 1);
      return;
    case 'incr':
      if (typeof value !== 'number' || (known !== undefined && typeof known !== 'number'))
        throw badRequest('The value of an Increment operation must be a number.');
      (parent as Record<string, unknown>)[key] = (known ?? 0) + value;
      return;
    case 'move': {
      const source = place(item, from ?? '');
      (parent as Record<string, unknown>)[key] = (source.parent as Record<string, unknown>)[source.key];
      delete (source.parent as Record<string, unknown>)[source.key];
      return;
    }
    default:
      throw badRequest(`The patch operation ${op} is not known.`);
  }
}

function place(item: unknown, path: string): { readonly parent: object; readonly key: string } {
  if (!path.startsWith('/')) throw badRequest('The path of a patch operation must begin with a slash.');
  const keys = path
    .slice(1)
    .split('/')
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  let parent: unknown = item;
  for (const key of keys.slice(0, -1)) parent = (parent as Record<string, unknown> | undefined)?.[key];
  if (typeof parent !== 'object' || parent === null) throw badRequest(`The path ${path} does not exist.`);
  return { parent, key: keys.at(-1)! };
}

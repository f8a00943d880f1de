/**
 * Whether a WHERE can leave a row out, judged without its literals, so that `1 = 1` and `1 = 0` are the same. It can where it names a column
 * that may be the target's: unqualified or qualified with its name, inside a sub-select only so qualified. An OR needs that in every
 * branch. A column compared with itself is no bound.
 * Anyone can still write a condition that holds for every row (`id IS NOT NULL`): this finds mistakes, not malice.
 */
import { listOf, stringNode, tagged, type Body } from './nodes.ts';

/** `alias`: the name by which the statement knows the relation that it writes. */
export function rowsAreBounded(where: unknown, alias: string): boolean {
  const condition = tagged(where);
  if (condition === undefined) return false;
  switch (condition.tag) {
    case 'CurrentOfExpr':
      return true;
    case 'BoolExpr': {
      const args = listOf(condition.body['args']);
      const bounded = (arg: unknown): boolean => rowsAreBounded(arg, alias);
      return condition.body['boolop'] === 'OR_EXPR' ? args.every(bounded) : args.some(bounded);
    }
    case 'A_Expr':
      return !comparesWithItself(condition.body, alias) && namesColumn(condition.body, alias, false);
    default:
      return namesColumn({ [condition.tag]: condition.body }, alias, false);
  }
}

/** `id = id`, `o.id = o.id`, and `id = o.id` where `o` is the relation that is written. */
function comparesWithItself(expression: Body, alias: string): boolean {
  const [left, right] = [columnParts(expression['lexpr']), columnParts(expression['rexpr'])];
  if (left === undefined || right === undefined || left.at(-1) !== right.at(-1)) return false;
  return (left.at(-2) ?? alias) === (right.at(-2) ?? alias);
}

function columnParts(node: unknown): readonly string[] | undefined {
  const found = tagged(node);
  return found?.tag === 'ColumnRef' ? listOf(found.body['fields']).map((field) => stringNode(field) ?? '*') : undefined;
}

/** Goes through any value of the tree. In a sub-select only a reference to the target by name counts. */
function namesColumn(value: unknown, alias: string, inSubselect: boolean): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some((item) => namesColumn(item, alias, inSubselect));
  return Object.entries(value).some(([key, inner]) => {
    if (key === 'typeName') return false;
    if (key === 'ColumnRef') {
      const parts = columnParts({ ColumnRef: inner }) ?? [];
      return (parts.at(-2) ?? (inSubselect ? undefined : alias)) === alias;
    }
    return namesColumn(inner, alias, inSubselect || key === 'subselect');
  });
}

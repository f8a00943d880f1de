import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { fieldsOf, nodeTypes } from './grammar.ts';

const declarations = readFileSync(
  createRequire(import.meta.url)
    .resolve('@pgsql/types')
    .replace(/index\.js$/, 'types.d.ts'),
  'utf8',
);
const enums = readFileSync(
  createRequire(import.meta.url)
    .resolve('@pgsql/types')
    .replace(/index\.js$/, 'enums.d.ts'),
  'utf8',
);
const enumNames = new Set([...enums.matchAll(/export type (\w+) =/g)].map((match) => match[1]));

/** Set by later stages of the server, never by its parser. */
const laterFields = new Set(['xpr', 'IntoClause.viewQuery', 'CallStmt.funcexpr', 'CallStmt.outargs']);

describe('the allow-list of nodes', () => {
  for (const tag of nodeTypes()) {
    test(`${tag} has the fields that the parser declares`, () => {
      const declared = new RegExp(`export interface ${tag} \\{([^}]*)\\}`).exec(declarations)?.[1];
      assert.ok(declared !== undefined, 'declared');
      const expected = [...declared.matchAll(/(\w+)\??: ([^;]+);/g)]
        .map((match) => [match[1] ?? '', match[2] ?? ''] as const)
        .filter(([field]) => !laterFields.has(field) && !laterFields.has(`${tag}.${field}`))
        .map(([field, type]) => `${field} ${kindOf(type)}`);
      const listed = [...fieldsOf(tag)].map(([field, kind]) => `${field} ${typeof kind === 'string' ? kind : kind.inline}`);
      assert.deepEqual([...new Set([...expected, 'location value'])].toSorted(), listed.toSorted());
    });
  }

  test('has every node that holds a statement', () => {
    const statements = [...declarations.matchAll(/export interface (\w+Stmt) /g)].map((match) => match[1] ?? '');
    const listed = new Set(nodeTypes());
    assert.deepEqual(
      statements.filter((statement) => !listed.has(statement)),
      // Of stored queries and of PL/pgSQL.
      ['SetOperationStmt', 'PLAssignStmt'],
    );
  });
});

function kindOf(type: string): string {
  if (type === 'Node') return 'node';
  if (type === 'Node[]') return 'nodes';
  return enumNames.has(type) || /^(string|number|boolean|bigint)(\[\])?$/.test(type) ? 'value' : type;
}

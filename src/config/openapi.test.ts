import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readOpenApi } from './openapi.ts';

const document = (paths: string, version = '3.1.1'): string => `openapi: ${version}\ninfo: { title: CRM, version: '1' }\npaths:\n${paths}`;
const get = (id: string): string => `{ get: { operationId: ${id}, responses: {} } }`;

describe('an OpenAPI document', () => {
  it('is read for methods, templates and names, as YAML and as JSON', () => {
    const yaml = document(`  /customers/{id}:
    parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
    get: { operationId: getCustomer, responses: {} }
    delete: { responses: {} }
  /r%C3%A9sum%C3%A9s/{name}.pdf: ${get('resume')}
  x-internal: {}
`);
    const read = readOpenApi(yaml);
    assert.ok(typeof read !== 'string');
    assert.deepEqual(
      read.map(({ method, template, id }) => [method, template, id]),
      [
        ['GET', '/customers/{id}', 'getCustomer'],
        ['DELETE', '/customers/{id}', undefined],
        ['GET', '/r%C3%A9sum%C3%A9s/{name}.pdf', 'resume'],
      ],
    );
    assert.deepEqual(read[2]?.segments, [
      { kind: 'text', text: 'résumés' },
      { kind: 'parameter', before: '', after: '.pdf' },
    ]);
    const json = JSON.stringify({ openapi: '3.0.3', paths: { '/a': { get: { operationId: 'a' } } } });
    assert.equal(readOpenApi(json).length, 1);
  });

  it('may keep its path items among the components', () => {
    const text = `${document("  /a: { $ref: '#/components/pathItems/A' }")}\ncomponents: { pathItems: { A: ${get('a')} } }`;
    assert.deepEqual(
      (readOpenApi(text) as readonly { id: string }[]).map(({ id }) => id),
      ['a'],
    );
  });

  const bad: readonly (readonly [name: string, text: string, expected: RegExp])[] = [
    ['is no YAML', '{', /expected JSON or YAML/],
    ['repeats a path', document(`  /a: ${get('a')}\n  /a: ${get('b')}`), /without repeated keys/],
    ['is of another version', document(`  /a: ${get('a')}`, '2.0'), /expected openapi: 3\.0\.x or 3\.1\.x/],
    ['has no operations', document('  /a: {}'), /expected paths with operations/],
    [
      'names two operations alike',
      document(`  /a: ${get('same')}\n  /b: ${get('same')}`),
      /operationId "same" stands twice: at "\/a" and at "\/b"/,
    ],
    ['has a path twice', document(`  /a/{x}: ${get('a')}\n  /a/{y}: ${get('b')}`), /"\/a\/\{x\}" and "\/a\/\{y\}" are the same/],
    [
      'leaves open which operation is meant',
      document(`  /{x}/me: ${get('a')}\n  /books/{y}: ${get('b')}`),
      /fit the same requests, and neither is the more specific/,
    ],
    ['leaves it open inside of a segment', document(`  /a-{x}: ${get('a')}\n  /{x}-b: ${get('b')}`), /neither is the more specific/],
    ['has two parameters in a segment', document(`  /{a}-{b}: ${get('a')}`), /at most one \{parameter\}/],
    [
      'has a name that cannot be shown',
      document(`  /a: { get: { operationId: "a b" } }`),
      /expected an operationId of 1 to 128 printable characters/,
    ],
    ['sends elsewhere', document(`  /a: { servers: [{ url: https://x }], get: {} }`), /expected no servers of its own/],
    ['refers to another file', document(`  /a: { $ref: other.yaml }`), /expected its operations, or nothing but a \$ref/],
    ['refers to what every object has', document("  /a: { $ref: '#/components/pathItems/constructor' }"), /nothing but a \$ref/],
    ['multiplies itself', `a: &a [x]\nb: &b [${'*a, '.repeat(200)}]\nopenapi: 3.1.0\npaths: {}`, /expected/],
  ];
  for (const [name, text, expected] of bad) {
    it(`that ${name} is a problem`, () => {
      const read = readOpenApi(text);
      assert.ok(typeof read === 'string');
      assert.match(read, expected);
    });
  }

  it('may have templates one of which is the more specific', () => {
    const paths = `  /pets/{id}: ${get('a')}\n  /pets/mine: ${get('b')}\n  /pets/{id}/x: ${get('c')}\n  /pets/v{id}: ${get('d')}\n  /{kind}/{id}: ${get('e')}`;
    assert.equal(typeof readOpenApi(document(paths)), 'object');
  });
});

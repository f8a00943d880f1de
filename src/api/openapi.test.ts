import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { startApi } from './server.ts';
import type { ApiServer } from './server.ts';
import { TestContext } from './testing/context.ts';

interface Operation {
  readonly summary: string;
  readonly operationId: string;
  readonly security: readonly unknown[];
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Record<string, unknown> }> };
  readonly responses: Record<string, { readonly content: Record<string, { readonly schema: Record<string, unknown> }> }>;
}

let server: ApiServer;
let document: { readonly openapi: string; readonly paths: Record<string, Record<string, Operation>> };

before(async () => {
  server = await startApi(new TestContext(), { host: '127.0.0.1', port: 0 });
  document = (await (await fetch(`http://127.0.0.1:${server.port}/openapi.json`)).json()) as typeof document;
});
after(async () => await server.close());

const operations = (): (readonly [string, Operation])[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
  );

it('holds every route that the server answers, and no other', () => {
  assert.deepEqual(
    operations()
      .map(([name]) => name)
      .sort(),
    [...server.routes].sort(),
  );
});

it('names every path parameter, each operation once, and who may call it', () => {
  assert.equal(document.openapi, '3.1.0');
  const ids = operations().map(([, { operationId }]) => operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const [name, operation] of operations()) {
    const wanted = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
    assert.deepEqual(
      operation.parameters.filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name),
      wanted,
      name,
    );
    assert.ok(operation.summary.length > 5, name);
    assert.equal(operation.security.length === 0, !name.includes('/api/v1/'), name);
    assert.ok(Object.keys(operation.responses).includes('default'), name);
  }
});

it('tells the form of a token exchange and the shape of its answer', () => {
  const exchange = document.paths['/oauth/token']?.['post'];
  const form = exchange?.requestBody?.content['application/x-www-form-urlencoded']?.schema as { required: string[] };
  assert.deepEqual(form.required, ['grant_type', 'subject_token', 'subject_token_type', 'audience']);
  const answer = exchange?.responses['200']?.content['application/json']?.schema as { properties: Record<string, unknown> };
  assert.ok('access_token' in answer.properties);
});

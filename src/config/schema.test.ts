import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { it } from 'node:test';
import { publishedSchema } from './schema.ts';

it('the published JSON Schema is up to date', async () => {
  const published = await readFile(new URL('../../docs/reference/sallyport.schema.json', import.meta.url), 'utf8');
  assert.deepEqual(
    JSON.parse(published),
    publishedSchema(),
    'write what publishedSchema() returns to docs/reference/sallyport.schema.json',
  );
});

it('the published JSON Schema knows the same keys, and no others', () => {
  const schema = publishedSchema() as {
    additionalProperties: unknown;
    required: string[];
    properties: Record<string, unknown>;
  };
  assert.equal(schema.additionalProperties, false);
  assert.deepEqual(schema.required, ['gateway', 'listeners', 'issuers', 'targets']);
  assert.deepEqual(Object.keys(schema.properties).sort(), [
    'audit',
    'credentials',
    'data_classes',
    'gateway',
    'issuers',
    'listeners',
    'policies',
    'roles',
    'session',
    'targets',
  ]);
});

it('the configuration reference names every key', async () => {
  const reference = await readFile(new URL('../../docs/reference/configuration.md', import.meta.url), 'utf8');
  for (const key of keys(publishedSchema()))
    assert.ok(reference.includes(`\`${key}\``), `docs/reference/configuration.md says nothing of ${key}`);
});

function keys(schema: unknown): Set<string> {
  const found = new Set<string>();
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { properties } = value as { properties?: Record<string, unknown> };
    for (const key of Object.keys(properties ?? {})) found.add(key);
    for (const inner of Object.values(value)) walk(inner);
  };
  walk(schema);
  return found;
}

import * as z from 'zod';
import type { Route } from './route.ts';
import { exchangeForm } from './routes/token.ts';

/** The OpenAPI 3.1 document of these routes. Its schemas are JSON Schema 2020-12, as the shapes in `schema.ts` give them. */
export function openApi(routes: readonly Route[], version: string): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Sallyport', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    components: {
      securitySchemes: { person: { type: 'http', scheme: 'bearer', bearerFormat: 'OIDC token whose audience is this gateway' } },
      schemas: { Problem: problemSchema },
    },
    paths,
  };
}

function operation(route: Route): Record<string, unknown> {
  const roles = Array.isArray(route.access) ? `Needs one of the roles ${route.access.join(', ')}.` : '';
  return {
    operationId: `${route.method.toLowerCase()}${route.path.replace(/[^A-Za-z0-9]+/g, '_').replace(/_$/, '')}`,
    summary: route.summary,
    ...(roles === '' ? {} : { description: roles }),
    security: route.access === 'open' ? [] : [{ person: [] }],
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
    ...requestBody(route),
    responses: {
      200: { description: 'done', content: { [route.resultType ?? 'application/json']: { schema: jsonSchema(route.result, 'output') } } },
      default: {
        description: 'refused (RFC 9457)',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
}

function parameters(shape: z.ZodType, place: 'path' | 'query'): Record<string, unknown>[] {
  const schema = jsonSchema(shape, 'input') as { properties?: Record<string, unknown>; required?: string[] };
  return Object.entries(schema.properties ?? {}).map(([name, value]) => ({
    name,
    in: place,
    required: place === 'path' || (schema.required ?? []).includes(name),
    schema: value,
  }));
}

function requestBody(route: Route): Record<string, unknown> {
  if (route.method !== 'POST') return {};
  const type = route.bodyType ?? 'application/json';
  const shape = type === 'application/json' ? route.body : exchangeForm;
  return { requestBody: { required: true, content: { [type]: { schema: jsonSchema(shape, 'input') } } } };
}

function jsonSchema(shape: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { $schema: _, ...schema } = z.toJSONSchema(shape, { io });
  return schema;
}

const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', description: 'stable; for programs' },
    detail: { type: 'string', description: 'for people' },
    hint: { type: 'string', description: 'what to do next' },
  },
};

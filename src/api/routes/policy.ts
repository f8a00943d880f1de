import * as z from 'zod';
import { explanationView } from '../explanation.ts';
import { nothing, ok, route } from '../route.ts';
import * as schema from '../schema.ts';

export const policyRoutes = [
  route({
    method: 'POST',
    path: '/api/v1/policy/explain',
    summary: 'What policy would say to an operation, and which policies would say it; nothing runs',
    access: ['admin', 'operator', 'auditor'],
    params: nothing,
    query: nothing,
    body: z.strictObject({
      target: z.string().min(1).max(200),
      statement: z.string().max(65_536).optional(),
      principal: z.strictObject({
        issuer: z.string().max(200).default(''),
        subject: z.string().max(1000).default(''),
        kind: z.enum(['agent', 'user']).default('agent'),
        groups: z.array(z.string().max(200)).max(500).default([]),
        claims: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
      }),
    }),
    result: schema.explanation,
    async handle({ context, body }) {
      const { target, statement, principal } = body;
      const explained = await context.policy.explain({ target, statement, principal });
      return ok(explanationView(explained, explained.masked));
    },
  }),
];

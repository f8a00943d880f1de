import * as z from 'zod';
import { recordRead } from '../evidence.ts';
import { notFound } from '../problem.ts';
import { byId, nothing, ok, route } from '../route.ts';
import * as schema from '../schema.ts';

export const identityRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/whoami',
    summary: 'Who the gateway takes you for',
    access: 'person',
    params: nothing,
    query: nothing,
    body: nothing,
    result: schema.whoami,
    handle: ({ principal, roles }) =>
      ok({
        issuer: principal.issuer,
        subject: principal.subject,
        kind: principal.kind,
        display: principal.display,
        groups: [...principal.groups],
        groups_known: principal.groupsKnown,
        claims: { ...principal.claims },
        roles: [...roles],
        expires: new Date(principal.expiresAtMs).toISOString(),
      }),
  }),
  route({
    method: 'GET',
    path: '/api/v1/credentials',
    summary: 'Gateway tokens that are neither expired nor revoked',
    access: ['operator', 'admin'],
    params: nothing,
    query: nothing,
    body: nothing,
    result: schema.credentialList,
    async handle(call) {
      const credentials = await call.context.identity.credentials();
      await recordRead(call, 'credentials', {}, credentials.length);
      return ok({
        credentials: credentials.map((credential) => ({
          id: credential.id,
          principal: { ...credential.principal },
          target: credential.target,
          issued: new Date(credential.issuedAtMs).toISOString(),
          expires: new Date(credential.expiresAtMs).toISOString(),
        })),
      });
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/credentials/{id}',
    summary: 'Revoke a gateway token; sessions opened with it end within 5 seconds',
    access: ['operator', 'admin'],
    params: byId,
    query: z.strictObject({ reason: z.string().trim().min(1).max(1000) }),
    body: nothing,
    result: schema.done,
    async handle({ context, params, query, principal }) {
      if (!(await context.identity.revokeCredential(params.id, principal, query.reason))) throw notFound('this credential');
      return ok({ done: true as const });
    },
  }),
];

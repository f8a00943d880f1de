import * as z from 'zod';
import { principalKey } from '../../core/principal.ts';
import type { Principal } from '../../core/principal.ts';
import type { IssuedCredential } from '../../identity/index.ts';
import type { ApiContext } from '../context.ts';
import { recordRead, recordRevoked } from '../evidence.ts';
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
        ...whoOf(principal),
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
    summary: 'Gateway tokens and keys for SSH that are neither expired nor revoked',
    access: ['operator', 'admin'],
    params: nothing,
    query: nothing,
    body: nothing,
    result: schema.credentialList,
    async handle(call) {
      const credentials = await liveCredentials(call.context);
      await recordRead(call, 'credentials', {}, credentials.length);
      return ok({
        credentials: credentials.map((credential) => ({
          id: credential.id,
          kind: credential.fingerprint === undefined ? ('gateway-token' as const) : ('ssh-key' as const),
          fingerprint: credential.fingerprint ?? null,
          principal: whoOf(credential.principal),
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
    summary: 'Revoke a gateway token or a key for SSH; sessions opened with it end within 5 seconds',
    access: ['operator', 'admin'],
    params: byId,
    query: z.strictObject({ reason: z.string().trim().min(1).max(1000) }),
    body: nothing,
    result: schema.done,
    async handle(call) {
      const { context, params, query, principal } = call;
      if (!(await liveCredentials(context)).some(({ id }) => id === params.id)) throw notFound('this credential');
      await recordRevoked(call, params.id, query.reason);
      if (!(await context.identity.revoke(params.id, principalKey(principal), query.reason))) throw notFound('this credential');
      return ok({ done: true as const });
    },
  }),
];

async function liveCredentials(context: ApiContext): Promise<readonly IssuedCredential[]> {
  const issued = await context.identity.listCredentials(maximumListed);
  return issued.filter(({ revocation, expiresAtMs }) => revocation === undefined && expiresAtMs > Date.now());
}

function whoOf({ issuer, subject, kind, display }: Principal): z.output<typeof schema.who> {
  return { issuer, subject, kind, display };
}

const maximumListed = 10_000;

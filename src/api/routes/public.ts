import * as z from 'zod';
import { describeHostKey } from '../../identity/ssh-host-key.ts';
import { notFound } from '../problem.ts';
import { identifier, nothing, ok, route } from '../route.ts';
import * as schema from '../schema.ts';

/** What anyone may ask without signing in: nothing here tells who, what or how much. */
export const publicRoutes = [
  route({
    method: 'GET',
    path: '/healthz',
    summary: 'The process is alive',
    access: 'open',
    params: nothing,
    query: nothing,
    body: nothing,
    result: schema.health,
    handle: () => ok({ status: 'ok' as const, problems: [] }),
  }),
  route({
    method: 'GET',
    path: '/readyz',
    summary: 'Something can be done through the gateway; 503 while the audit log cannot be written',
    access: 'open',
    params: nothing,
    query: nothing,
    body: nothing,
    result: schema.health,
    handle({ context }) {
      const { ready, problems } = context.health();
      return ok({ status: ready ? ('ok' as const) : ('unavailable' as const), problems: [...problems] }, ready ? 200 : 503);
    },
  }),
  route({
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics for Prometheus',
    access: 'open',
    params: nothing,
    query: nothing,
    body: nothing,
    result: z.string(),
    resultType: 'text/plain; version=0.0.4; charset=utf-8',
    handle: ({ context }) => ({ kind: 'text', status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', text: context.metrics() }),
  }),
  route({
    method: 'GET',
    path: '/.well-known/sallyport',
    summary: 'How to sign in: issuers and client ids for people, audiences for agents, the verifier key of the audit log',
    access: 'open',
    params: nothing,
    query: nothing,
    body: nothing,
    result: schema.wellKnown,
    handle: ({ context }) =>
      ok({
        name: context.name,
        version: context.version,
        api: 'v1' as const,
        token_endpoint: '/oauth/token',
        issuers: context.signIn.map((issuer) => ({
          name: issuer.name,
          issuer: issuer.issuer,
          client_id: issuer.clientId,
          audience: issuer.audience,
          scopes: [...issuer.scopes],
          resource: issuer.resource ?? null,
        })),
        agents: context.agents.map(({ issuer, audience }) => ({ issuer, audience })),
        verifier_key: context.audit.verifierKey,
      }),
  }),
  route({
    method: 'GET',
    path: '/.well-known/sallyport/ssh-host-keys',
    summary: 'The key by which SSH clients know the gateway: for known_hosts and DNS',
    access: 'open',
    params: nothing,
    query: nothing,
    body: nothing,
    result: schema.sshHostKeys,
    handle({ context }) {
      const ssh = context.ssh();
      if (ssh === undefined) throw notFound('a listener for SSH');
      const { host, port, publicKey } = ssh;
      return ok({ host, port, keys: [describeHostKey(host, port, publicKey)] });
    },
  }),
  route({
    method: 'GET',
    path: '/approvals/{id}',
    summary: 'The page behind the link that a held client prints: how to answer. Shows nothing of the request and changes nothing',
    access: 'open',
    params: z.strictObject({ id: z.string() }),
    query: nothing,
    body: nothing,
    result: z.string(),
    resultType: 'text/html; charset=utf-8',
    handle({ params }) {
      if (!identifier.safeParse(params.id).success) throw notFound('this page');
      return { kind: 'text', status: 200, type: 'text/html; charset=utf-8', text: approvalPage(params.id) };
    },
  }),
];

/** `id` is an identifier: nothing in it needs escaping. The page is the same whether or not such a request exists. */
function approvalPage(id: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sallyport: approval ${id}</title>
<h1>Approval ${id}</h1>
<p>To see what exactly would run, and by whom:</p>
<pre>sallyport approvals show ${id}</pre>
<p>To answer:</p>
<pre>sallyport approvals approve ${id} --reason "..."
sallyport approvals deny ${id} --reason "..."</pre>
<p>Not signed in yet? Run <code>sallyport login</code> first.</p>
</html>
`;
}

import { Readable } from 'node:stream';
import type { ServerOptions } from 'node:https';
import Fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { GatewayFault } from '../core/fault.ts';
import type { Principal } from '../core/principal.ts';
import type { ApiContext, Role } from './context.ts';
import { EventStream } from './events.ts';
import { recordAdministration } from './evidence.ts';
import { openApi } from './openapi.ts';
import { HttpRefusal, toProblem, toRefusal } from './problem.ts';
import { nothing, ok, route } from './route.ts';
import type { Answer, Call, Route } from './route.ts';
import { allRoutes } from './routes/index.ts';
import { FailureLimiter, signIn } from './sign-in.ts';

export interface ApiOptions {
  /** Absent: every interface of the machine. */
  readonly host?: string | undefined;
  /** 0 picks a free one. */
  readonly port: number;
  /** PEM certificate and key, minimum version and so on. Absent: plain http (`unsafe_plaintext`, or behind a proxy on the same host). */
  readonly tls?: ServerOptions | undefined;
  /** How often an idle event stream shows that it is alive. Default 15,000. */
  readonly heartbeatMs?: number;
}

export interface ApiServer {
  readonly port: number;
  /** Every route as registered: `GET /api/v1/sessions/{id}`. */
  readonly routes: readonly string[];
  /** A renewed certificate, for connections from now on. Without TLS it does nothing. */
  replaceCertificate(tls: ServerOptions): void;
  /** Ends event streams, lets answers under way finish, and closes. */
  close(): Promise<void>;
}

/** Starts the API listener. See `docs/reference/api.md`. */
export async function startApi(context: ApiContext, options: ApiOptions): Promise<ApiServer> {
  const server = createServer(options);
  const streams = new Set<EventStream>();
  const limiter = new FailureLimiter();
  const routes = withOpenApi(allRoutes(limiter), context.version);
  server.addHook('onRequest', (request, reply, done) => {
    reply.headers(securityHeaders);
    if (options.tls !== undefined) reply.header('strict-transport-security', 'max-age=31536000');
    done(request.url.length > maximumUrlLength ? new HttpRefusal(414, 'bad-request', 'the URL is too long') : undefined);
  });
  server.setErrorHandler((error, _request, reply) => refuse(context, reply, error));
  server.setNotFoundHandler((_request, reply) => refuse(context, reply, new HttpRefusal(404, 'not-found', 'there is nothing here')));
  server.addHook('preClose', (done) => {
    for (const stream of streams) stream.close('shutting-down');
    done();
  });
  for (const route of routes) register(server, { context, limiter, streams, heartbeatMs: options.heartbeatMs ?? 15_000 }, route);
  await server.listen({ port: options.port, ...(options.host === undefined ? {} : { host: options.host }) });
  const address = server.server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    routes: routes.map(({ method, path }) => `${method} ${path}`),
    replaceCertificate(tls) {
      if ('setSecureContext' in server.server) (server.server as { setSecureContext(tls: ServerOptions): void }).setSecureContext(tls);
    },
    close: async () => await server.close(),
  };
}

interface House {
  readonly context: ApiContext;
  readonly limiter: FailureLimiter;
  readonly streams: Set<EventStream>;
  readonly heartbeatMs: number;
}

function createServer(options: ApiOptions): FastifyInstance {
  const settings = {
    bodyLimit: maximumBodyBytes,
    requestTimeout: 30_000,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle' as const,
    routerOptions: { maxParamLength: 200 },
    http: { maxHeaderSize: maximumHeaderBytes },
  };
  const server = (
    options.tls === undefined ? Fastify(settings) : Fastify({ ...settings, https: { ...options.tls, maxHeaderSize: maximumHeaderBytes } })
  ) as FastifyInstance;
  server.removeContentTypeParser('text/plain');
  server.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, new URLSearchParams(String(body)));
  });
  return server;
}

function withOpenApi(routes: readonly Route[], version: string): readonly Route[] {
  const all: Route[] = [...routes];
  let document: Readonly<Record<string, unknown>> | undefined;
  all.push(
    route({
      method: 'GET',
      path: '/openapi.json',
      summary: 'This document',
      access: 'open',
      params: nothing,
      query: nothing,
      body: nothing,
      result: z.record(z.string(), z.unknown()),
      handle: () => ok((document ??= openApi(all, version))),
    }),
  );
  return all;
}

function register(server: FastifyInstance, house: House, route: Route): void {
  const principals = new WeakMap<FastifyRequest, { principal: Principal; roles: ReadonlySet<Role> }>();
  server.route({
    method: route.method,
    url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    // Before the body is read: a stranger's bytes are not worth parsing.
    async onRequest(request) {
      if (route.access !== 'open') principals.set(request, await admit(house, route, request));
    },
    async handler(request, reply) {
      const answer = await route.handle(call(house.context, route, request, principals.get(request)));
      return await send(house, reply, answer, principals.get(request)?.principal);
    },
  });
}

/** Signed in, and holding one of the route's roles. */
async function admit(house: House, route: Route, request: FastifyRequest): Promise<{ principal: Principal; roles: ReadonlySet<Role> }> {
  const { context, limiter } = house;
  const principal = await signIn(context, limiter, request.raw, peerOf(request));
  const roles = context.roles(principal);
  if (route.access === 'open' || route.access === 'person' || route.access.some((role) => roles.has(role))) return { principal, roles };
  await recordAdministration({ context, principal }, 'api.refused', { route: `${route.method} ${route.path}` });
  throw new HttpRefusal(403, 'access-denied', `this needs the role ${route.access.join(' or ')}`, {
    hint: 'run: sallyport whoami, to see your groups and roles',
  });
}

function call(
  context: ApiContext,
  route: Route,
  request: FastifyRequest,
  signedIn: { principal: Principal; roles: ReadonlySet<Role> } | undefined,
): Call {
  const eventId = request.headers['last-event-id'];
  return {
    context,
    get principal(): Principal {
      if (signedIn === undefined)
        throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'an open route asked who' });
      return signedIn.principal;
    },
    roles: signedIn?.roles ?? new Set(),
    params: parse(route.params, request.params, 'path'),
    query: parse(route.query, request.query, 'query'),
    body: route.method === 'POST' ? parse(route.body, request.body, 'body') : undefined,
    peer: peerOf(request),
    lastEventId: typeof eventId === 'string' ? eventId : undefined,
    gone: () => request.raw.socket.destroyed,
  };
}

function parse(shape: z.ZodType, value: unknown, place: string): unknown {
  const parsed = shape.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = [place, ...(issue?.path ?? [])].join('.');
  throw new HttpRefusal(400, 'bad-request', `${where}: ${issue?.message ?? 'not acceptable'}`, { hint: 'see /openapi.json' });
}

async function send(house: House, reply: FastifyReply, answer: Answer, principal: Principal | undefined): Promise<FastifyReply> {
  switch (answer.kind) {
    case 'json':
      return await reply.code(answer.status).type('application/json; charset=utf-8').send(JSON.stringify(answer.body));
    case 'text':
      return await reply.code(answer.status).type(answer.type).send(answer.text);
    case 'bytes':
      return await reply.type(answer.type).send(Readable.from(answer.bytes, { objectMode: false }));
    case 'events':
      await stream(house, reply, answer.run, principal);
      return reply;
    default:
      return answer satisfies never;
  }
}

async function stream(
  house: House,
  reply: FastifyReply,
  run: (stream: EventStream) => Promise<void>,
  principal: Principal | undefined,
): Promise<void> {
  if (house.streams.size >= maximumStreams) {
    throw new HttpRefusal(503, 'too-many-streams', 'too many event streams are open', { headers: { 'retry-after': '10' } });
  }
  const headers = Object.fromEntries(Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]));
  reply.hijack();
  const expiresInMs = (principal?.expiresAtMs ?? 0) - Date.now();
  const events = new EventStream(reply.raw, headers, { heartbeatMs: house.heartbeatMs, expiresInMs });
  house.streams.add(events);
  try {
    await run(events);
    events.close('ended');
  } catch (error) {
    house.context.report('an event stream failed', error);
    events.close('failed');
  } finally {
    house.streams.delete(events);
  }
}

function refuse(context: ApiContext, reply: FastifyReply, error: unknown): void {
  const refusal = toRefusal(error);
  if (refusal.status >= 500) context.report('an API request failed', error);
  void reply.headers(refusal.headers).code(refusal.status);
  void reply.type('application/problem+json; charset=utf-8').send(JSON.stringify(toProblem(refusal)));
}

function peerOf(request: FastifyRequest): string {
  return request.raw.socket.remoteAddress ?? 'unknown';
}

const maximumBodyBytes = 128 * 1024;
const maximumUrlLength = 4_096;
/** An Entra token with 200 groups is 12 KB; Node's own default of 16 KB leaves it too little room. */
const maximumHeaderBytes = 32 * 1024;
const maximumStreams = 256;

const securityHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

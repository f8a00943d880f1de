import * as z from 'zod';
import { recordAdministration, recordRead } from '../evidence.ts';
import { HttpRefusal, notFound } from '../problem.ts';
import type { LiveSession } from '../../core/ports.ts';
import { byId, nothing, ok, route, type Call } from '../route.ts';
import * as schema from '../schema.ts';
import { findSession, listSessions } from '../sessions.ts';

export const sessionRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/sessions',
    summary: 'Sessions: live ones first, then the most recent ones on record',
    access: ['operator', 'auditor', 'admin'],
    params: nothing,
    query: z.strictObject({
      state: z.enum(['live', 'recent', 'all']).default('all'),
      target: z.string().max(200).optional(),
      limit: z.coerce.number().int().min(1).max(500).default(50),
    }),
    body: nothing,
    result: schema.sessionList,
    async handle(call) {
      const sessions = await listSessions(call.context, call.query, call.gone);
      await recordRead(call, 'sessions', call.query, sessions.length);
      return ok({ sessions });
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/sessions/{id}',
    summary: 'One session and its operations, as they are on record',
    access: ['operator', 'auditor', 'admin'],
    params: byId,
    query: nothing,
    body: nothing,
    result: schema.sessionDetail,
    async handle(call) {
      const detail = await findSession(call.context, call.params.id, call.gone);
      await recordRead(call, 'session', call.params, detail === undefined ? 0 : 1);
      if (detail === undefined) throw notFound('this session');
      return ok(detail);
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/sessions/{id}/recording',
    summary: 'The recording of a session, masked, as JSON lines',
    access: ['operator', 'auditor'],
    params: byId,
    query: nothing,
    body: nothing,
    result: z.string(),
    resultType: 'application/jsonl',
    async handle(call) {
      const bytes = await call.context.recordings.read(call.params.id);
      await recordRead(call, 'recording', call.params, bytes === undefined ? 0 : 1);
      if (bytes === undefined) throw notFound('this recording');
      return { kind: 'bytes', type: 'application/jsonl', bytes };
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/sessions/{id}/watch',
    summary:
      'Server-sent events: what passes in a live session, masked, as it passes. A moderated one runs while a reviewer of its group watches',
    access: ['operator', 'auditor', 'admin', 'reviewer'],
    params: byId,
    query: nothing,
    body: nothing,
    result: schema.transcriptPart,
    resultType: 'text/event-stream',
    async handle(call) {
      const session = call.context.sessions.find(call.params.id);
      if (!call.roles.has('operator') && !call.roles.has('auditor') && !call.roles.has('admin')) await moderates(call, session);
      await recordRead(call, 'session.watch', call.params, session?.watch === undefined ? 0 : 1);
      const watch = session?.watch;
      if (watch === undefined) throw notFound('a session that can be watched now');
      return {
        kind: 'events',
        async run(stream) {
          stream.send({ event: 'watching', data: {} });
          await new Promise<void>((resolve) => {
            const stop = watch({
              principal: call.principal,
              see: (operation, { stream: name, text }) => stream.send({ event: 'transcript', data: { operation, stream: name, text } }),
              ended: () => {
                stream.send({ event: 'over', data: {} });
                resolve();
              },
            });
            const gone = (): void => {
              stop();
              resolve();
            };
            stream.signal.addEventListener('abort', gone, { once: true });
            if (stream.signal.aborted) gone();
          });
        },
      };
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/sessions/{id}',
    summary: 'End a live session within 5 seconds; its client is told the reason. Of a moderated one, also by reviewers of its group',
    access: ['operator', 'admin', 'reviewer'],
    params: byId,
    query: z.strictObject({ reason: z.string().trim().min(1).max(1000) }),
    body: nothing,
    result: schema.done,
    async handle(call) {
      const session = call.context.sessions.find(call.params.id);
      if (!call.roles.has('operator') && !call.roles.has('admin')) await moderates(call, session);
      if (session === undefined) throw notFound('this live session');
      await recordAdministration(call, 'session.kill', { session: session.id, target: session.target.name, reason: call.query.reason });
      session.end(call.query.reason);
      return ok({ done: true as const });
    },
  }),
];

/** Of the group that moderates the session; a session that is none's says no more than one that is another's. */
async function moderates(call: Call<{ readonly id: string }>, session: LiveSession | undefined): Promise<void> {
  const group = session?.moderators;
  if (group !== undefined && call.principal.groups.includes(group)) return;
  await recordAdministration(call, 'api.refused', { session: call.params.id });
  throw new HttpRefusal(403, 'access-denied', 'reviewers may watch and end sessions that their group moderates', {
    hint: 'run: sallyport whoami, to see your groups and roles',
  });
}

import * as z from 'zod';
import type { AuditRecordType } from '../../core/record.ts';
import type { FoundRecord, Place } from '../../audit/index.ts';
import { recordRead } from '../evidence.ts';
import { HttpRefusal } from '../problem.ts';
import { identifier, nothing, ok, route } from '../route.ts';
import * as schema from '../schema.ts';

/** A sequence, or a place in several logs, as an answer gave it. */
const place = z
  .string()
  .max(4_000)
  .regex(/^(?:\d{1,15}|[a-z0-9/]+:\d{1,15}(?:,[a-z0-9/]+:\d{1,15})*)$/)
  .transform((text) => (/^\d+$/.test(text) ? Number(text) : text));

export const auditRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/audit/records',
    summary: 'Records of the audit log, filtered; in the order of the log, or newest first',
    access: ['auditor'],
    params: nothing,
    query: z.strictObject({
      type: z.string().max(500).optional(),
      session: identifier.optional(),
      operation: identifier.optional(),
      approval: identifier.optional(),
      text: z.string().min(1).max(200).optional(),
      target: z.string().max(200).optional(),
      principal: z.string().max(1000).optional(),
      from: z.iso.datetime({ offset: true }).optional(),
      to: z.iso.datetime({ offset: true }).optional(),
      sequence: place.optional(),
      log: z.string().max(100).optional(),
      order: z.enum(['oldest', 'newest']).default('oldest'),
      limit: z.coerce.number().int().min(1).max(1000).default(100),
    }),
    body: nothing,
    result: schema.auditPage,
    async handle(call) {
      const { query } = call;
      const records: schema.AuditRow[] = [];
      let next: Place | null = null;
      const filter = given({
        types: query.type === undefined ? undefined : recordTypes(query.type),
        session: query.session,
        operation: query.operation,
        approval: query.approval,
        target: query.target,
        principal: query.principal,
        text: query.text,
        fromMs: query.from === undefined ? undefined : Date.parse(query.from),
        toMs: query.to === undefined ? undefined : Date.parse(query.to),
        from: query.sequence,
        log: query.log,
      });
      for await (const entry of call.context.audit.query({ ...filter, order: query.order })) {
        if (call.gone()) break;
        if (records.length >= query.limit) {
          next = entry.place ?? entry.sequence;
          break;
        }
        records.push(row(entry));
      }
      await recordRead(call, 'audit.records', query, records.length);
      return ok({ records, next });
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/audit/tail',
    summary: 'Server-sent events: durable records as they come; resumes after Last-Event-ID',
    access: ['auditor'],
    params: nothing,
    query: z.strictObject({ sequence: place.optional() }),
    body: nothing,
    result: schema.auditEntry,
    resultType: 'text/event-stream',
    async handle(call) {
      const from = resumeAt(call.lastEventId) ?? call.query.sequence ?? (await call.context.audit.end());
      await recordRead(call, 'audit.tail', { sequence: from }, 0);
      return {
        kind: 'events',
        async run(stream) {
          for await (const found of call.context.audit.tail({ from, signal: stream.signal })) {
            stream.send({ event: 'record', id: typeof found.place === 'string' ? found.place : found.sequence, data: row(found) });
            await stream.drained();
            if (stream.signal.aborted) break;
          }
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/audit/checkpoint',
    summary: 'The newest signed checkpoint of the audit log, to keep elsewhere and verify against later',
    access: ['auditor', 'operator', 'admin'],
    params: nothing,
    query: nothing,
    body: nothing,
    result: schema.checkpoint,
    async handle(call) {
      const { audit } = call.context;
      const checkpoint = await audit.checkpoint();
      await recordRead(call, 'audit.checkpoint', {}, 1);
      return ok({ checkpoint, verifier_key: audit.verifierKey, records: audit.durableCount });
    },
  }),
];

function row({ log, sequence, record }: FoundRecord): schema.AuditRow {
  return { ...(log === undefined ? {} : { log }), sequence, record: { ...record } };
}

/** Without the members that are undefined. */
function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function recordTypes(list: string): readonly AuditRecordType[] {
  return list.split(',').map((type) => {
    if (!isRecordType(type)) {
      throw new HttpRefusal(400, 'bad-request', `unknown record type "${type}"`, { hint: `known: ${Object.keys(knownTypes).join(', ')}` });
    }
    return type;
  });
}

function isRecordType(type: string): type is AuditRecordType {
  return Object.hasOwn(knownTypes, type);
}

/** The id of a record of one log is its sequence; where there are several, it is the place behind it. */
function resumeAt(lastEventId: string | undefined): Place | undefined {
  const last = place.safeParse(lastEventId ?? '').data;
  return typeof last === 'number' ? last + 1 : last;
}

/** Every type, so that a new one does not compile until it can be asked for. */
const knownTypes: Readonly<Record<AuditRecordType, true>> = {
  'gateway.started': true,
  'gateway.stopped': true,
  'worker.started': true,
  'worker.ended': true,
  'log.witnessed': true,
  'log.recovered': true,
  'sign-in.refused': true,
  'session.opened': true,
  'session.closed': true,
  'session.note': true,
  'recording.recovered': true,
  'operation.decided': true,
  'operation.completed': true,
  'approval.requested': true,
  'approval.answered': true,
  'approval.ended': true,
  'credential.issued': true,
  'credential.revoked': true,
  administration: true,
  'evidence.read': true,
  'policy.changed': true,
  'config.changed': true,
  'key.rotated': true,
};

import * as z from 'zod';
import type { ApprovalView } from '../../approvals/index.ts';
import type { ApiContext, Role } from '../context.ts';
import { recordRead } from '../evidence.ts';
import { HttpRefusal, notFound } from '../problem.ts';
import { byId, nothing, ok, route } from '../route.ts';
import type { Call } from '../route.ts';
import * as schema from '../schema.ts';

const everyone: readonly Role[] = ['reviewer', 'auditor', 'operator', 'admin'];

export const approvalRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/approvals',
    summary: 'Requests for approval; a reviewer sees those of their own groups',
    access: everyone,
    params: nothing,
    query: z.strictObject({ state: schema.approvalFilter.optional() }),
    body: nothing,
    result: schema.approvalList,
    async handle(call) {
      const approvals = await call.context.approvals.list({ state: call.query.state });
      return ok({ approvals: approvals.filter((approval) => maySee(call, approval)).map(view) });
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/approvals/events',
    summary: 'Server-sent events: every request pending now, then every change as it happens',
    access: everyone,
    params: nothing,
    query: nothing,
    body: nothing,
    result: schema.approval,
    resultType: 'text/event-stream',
    async handle(call) {
      return {
        kind: 'events',
        async run(stream) {
          const send = (approval: ApprovalView): void => {
            if (maySee(call, approval)) stream.send({ event: 'approval', data: view(approval) });
          };
          // Subscribed before the list is read: a change in between is sent twice rather than never.
          const stop = call.context.approvals.subscribe(send);
          stream.signal.addEventListener('abort', stop, { once: true });
          if (stream.signal.aborted) stop();
          for (const approval of await call.context.approvals.list({ state: 'pending' })) send(approval);
          stream.send({ event: 'ready', data: {} });
          await aborted(stream.signal);
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/approvals/{id}',
    summary: 'One request; for those who may answer it, what exactly will run',
    access: everyone,
    params: byId,
    query: nothing,
    body: nothing,
    result: schema.approvalDetail,
    async handle(call) {
      const approval = await findVisible(call, call.params.id);
      const exact = mayAnswer(call, approval) ? await call.context.approvals.exactText(approval.id) : undefined;
      await recordRead(call, exact === undefined ? 'approval' : 'approval.exact', call.params, 1);
      return ok({
        ...view(approval),
        exact: exact === undefined ? null : { text: exact.text, runs: [...exact.runs], parameters: [...exact.parameters] },
      });
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/approvals/{id}/approve',
    summary: 'Approve: for a review of a group of yours, never for a request of your own',
    access: ['reviewer'],
    params: byId,
    query: nothing,
    body: z.strictObject({ reason: z.string().trim().max(1000).default('') }),
    result: schema.approval,
    handle: async (call) => ok(await answer(call, call.params.id, 'approve', call.body.reason)),
  }),
  route({
    method: 'POST',
    path: '/api/v1/approvals/{id}/deny',
    summary: 'Deny: the held operation is refused at once, with the reason',
    access: ['reviewer'],
    params: byId,
    query: nothing,
    body: z.strictObject({ reason: z.string().trim().min(1).max(1000) }),
    result: schema.approval,
    handle: async (call) => ok(await answer(call, call.params.id, 'deny', call.body.reason)),
  }),
];

/** The desk checks again and appends `approval.answered`; what is checked here keeps other groups' requests out of sight. */
async function answer(call: Call, id: string, kind: 'approve' | 'deny', reason: string): Promise<z.output<typeof schema.approval>> {
  const approval = await findVisible(call, id);
  if (!mayAnswer(call, approval)) {
    throw new HttpRefusal(403, 'access-denied', 'this request waits for another group', { hint: `ask: ${groupsOf(approval).join(', ')}` });
  }
  return view(await call.context.approvals.answer(id, call.principal, kind, reason));
}

async function findVisible(call: Call, id: string): Promise<ApprovalView> {
  const approval = await call.context.approvals.find(id);
  if (approval === undefined || !maySee(call, approval)) throw notFound('this approval');
  return approval;
}

type Asking = Pick<Call, 'principal' | 'roles'> & { readonly context: ApiContext };

function maySee(call: Asking, approval: ApprovalView): boolean {
  return call.roles.has('auditor') || call.roles.has('operator') || call.roles.has('admin') || mayAnswer(call, approval);
}

function mayAnswer(call: Asking, approval: ApprovalView): boolean {
  return call.roles.has('reviewer') && groupsOf(approval).some((group) => call.principal.groups.includes(group));
}

function groupsOf(approval: ApprovalView): readonly string[] {
  return [...new Set(approval.reviews.map((review) => review.group))];
}

function view(approval: ApprovalView): z.output<typeof schema.approval> {
  const { issuer, subject, kind, display, claims } = approval.principal;
  return {
    id: approval.id,
    state: approval.state,
    session: approval.session,
    operation: approval.operation,
    target: approval.target,
    hold: approval.hold,
    data_classes: [...approval.dataClasses],
    principal: { issuer, subject, kind, display, claims: { ...claims } },
    acts: [...approval.acts],
    text: approval.text,
    runs: [...approval.runs],
    reviews: approval.reviews.map((review) => ({
      policy: review.policy,
      group: review.group,
      approvals: review.approvals,
      message: review.message,
      answers: review.answers.map(({ by, answer, reason, atMs }) => ({ by, answer, reason, time: new Date(atMs).toISOString() })),
    })),
    requested: new Date(approval.requestedAtMs).toISOString(),
    expires: new Date(approval.expiresAtMs).toISOString(),
    end_reason: approval.endReason,
  };
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

import { GatewayFault, toFault } from '../core/fault.ts';
import type { Grant } from '../core/grant.ts';
import type { Completion, Operation } from '../core/operation.ts';
import { checkedTrailers } from '../protocols/http/index.ts';
import type { AskedRequest, HeaderField, ReceivedRequest, RequestBody } from '../protocols/request.ts';
import { AnswerRelay } from './http-answer.ts';
import { bodyIdleMs, rest } from './http-body.ts';
import { tooSlow } from './http-faults.ts';
import type { UnderWay } from './http-under-way.ts';
import type { Forwarded, ForwardedBody } from './http-upstream.ts';
import type { Upstream, UpstreamAnswer } from './http-upstream-answer.ts';
import { isUpgrade, serveUpgrade } from './http-upgraded.ts';

/** A request that was granted. */
export interface GrantedRequest {
  readonly request: ReceivedRequest;
  readonly asked: AskedRequest;
  readonly operation: Operation;
  readonly grant: Grant;
  /** What was read of a body that is too long to be gathered. */
  readonly begun: Uint8Array;
}

/** Forwards a request under its grant, and answers once the grant's record is durable. Resolves when that is over, however it ended, and on record. */
export function forward(underWay: UnderWay, upstream: Upstream, granted: GrantedRequest): Promise<void> {
  return new Forwarding(underWay, granted).run(upstream);
}

class Forwarding {
  readonly #underWay: UnderWay;
  readonly #granted: GrantedRequest;
  readonly #timeoutMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #answer: UpstreamAnswer | undefined;
  #relay: AnswerRelay | undefined;

  constructor(underWay: UnderWay, granted: GrantedRequest) {
    this.#underWay = underWay;
    this.#granted = granted;
    this.#timeoutMs = underWay.session.limits.inForce.statementTimeoutMs;
  }

  async run(upstream: Upstream): Promise<void> {
    const { client, session, options, abort } = this.#underWay;
    const { asked, grant, operation, request } = this.#granted;
    const { signal } = abort;
    try {
      const hasTimer = this.#timeoutMs !== undefined || asked.isLongLived !== true;
      // How long a client takes to send is no time of the target's.
      if (hasTimer && (request.body.kind !== 'streamed' || this.#timeoutMs !== undefined)) this.#startTimer();
      const forwarded: Forwarded = {
        ...asked.upstream,
        fields: this.#fields(),
        body: this.#body(request.body, hasTimer ? () => this.#startTimer() : () => {}),
        trailers: () => this.#trailers(),
      };
      const answer = isUpgrade(this.#granted, upstream)
        ? await serveUpgrade(this.#underWay, this.#granted, upstream, forwarded, () => this.#stopTimer())
        : await upstream.send(forwarded, grant, session.id, signal);
      // It ran as a tunnel, and is over.
      if (answer === undefined) return;
      this.#answer = answer;
      if (this.#timeoutMs === undefined) this.#stopTimer();
      this.#relay = new AnswerRelay(answer, asked, session.limits);
      // Nothing of the answer before the record of what was asked: if it cannot be made durable, nobody sees it.
      if (options.audit.durableCount <= grant.sequence) await options.audit.durable(grant.sequence);
      signal.throwIfAborted();
      const relayed = this.#relay.run(client, signal, session.target.name);
      if (relayed !== undefined) await relayed;
      this.#complete(undefined);
    } catch (error) {
      const fault = signal.aborted ? (signal.reason as GatewayFault) : toFault(error);
      this.#complete(fault);
      this.#answer?.discard();
      if (client.headSent) await this.#cut(fault);
      else await this.#underWay.refuse(fault, operation, this.#relay !== undefined);
      if (fault.code === 'internal') options.report('request failed', fault, session.id);
    } finally {
      this.#stopTimer();
    }
  }

  #startTimer(): void {
    const { abort, session } = this.#underWay;
    const timeoutMs = this.#timeoutMs;
    const late = (): GatewayFault => tooSlow(session.target.name, timeoutMs);
    if (timeoutMs === undefined) abort.expire(performance.now() + answerTimeoutMs, late);
    else this.#timer ??= setTimeout(() => abort.abort(late()), timeoutMs);
  }

  #stopTimer(): void {
    this.#underWay.abort.expire(Number.POSITIVE_INFINITY, undefined);
    if (this.#timer !== undefined) clearTimeout(this.#timer);
  }

  #fields(): readonly HeaderField[] {
    const { upstream, deadlineMs } = this.#granted.asked;
    if (upstream.timeLeft === undefined || deadlineMs === undefined) return upstream.fields;
    return [...upstream.fields, upstream.timeLeft(this.#underWay.timeLeft(deadlineMs))];
  }

  #trailers(): readonly HeaderField[] {
    const { request, asked } = this.#granted;
    const received = request.body.kind === 'streamed' ? checkedTrailers(this.#underWay.client.trailers) : request.trailers;
    return received === undefined || received.length === 0 ? [] : (asked.upstream.trailers?.(received) ?? []);
  }

  /** `sent`: called when all of a body that passes as it comes was passed. */
  #body(body: RequestBody, sent: () => void): ForwardedBody {
    const { asked, begun } = this.#granted;
    if (body.kind !== 'streamed') {
      const bytes = asked.upstream.body;
      return bytes === undefined ? body : { kind: 'whole', bytes };
    }
    const { abort, client } = this.#underWay;
    const pieces = rest(client.request, begun, asked.isLongLived === true ? undefined : bodyIdleMs);
    const inspector = asked.inspector?.();
    return {
      ...body,
      pieces: (async function* () {
        try {
          for await (const piece of pieces) yield inspector?.push(piece) ?? piece;
          inspector?.end();
        } catch (error) {
          // What is wrong with a body is the end of the request, whatever of its answer is there.
          if (error instanceof GatewayFault) abort.abort(error);
          throw error;
        }
        sent();
      })(),
    };
  }

  #complete(fault: GatewayFault | undefined): void {
    const { session } = this.#underWay;
    const { id: operationId } = this.#granted.operation;
    const relay = this.#relay;
    const completion: Completion = {
      operationId,
      ...outcomeOf(relay, fault),
      reason: fault?.publicMessage,
      rows: relay?.rows ?? 0,
      bytes: relay?.bytes ?? 0,
      masked: relay?.masked ?? {},
    };
    try {
      if (relay !== undefined) {
        const { columns, row } = relay.sample();
        session.sample({ operationId, columns, rows: [row] });
      }
    } catch (error) {
      this.#underWay.endUnrecorded(error);
    }
    try {
      session.complete(completion);
    } catch (error) {
      this.#underWay.endUnrecorded(error);
    }
  }

  /** What of the answer is with the client already stays there. */
  async #cut(fault: GatewayFault): Promise<void> {
    const { client } = this.#underWay;
    if (this.#relay === undefined) client.destroy();
    else await this.#relay.cut(client, fault, this.#underWay.faultContext(this.#granted.operation, true));
  }
}

/** What the target said, where it said anything: whether the client could be shown it is another matter. */
function outcomeOf(relay: AnswerRelay | undefined, fault: GatewayFault | undefined): Pick<Completion, 'outcome' | 'errorCode'> {
  if (relay?.outcome !== undefined) return relay.outcome;
  if (relay?.isStream === true) return { outcome: cutOutcome(fault), errorCode: fault?.code };
  const status = relay?.status;
  // Where no connection came about, nothing can have happened; else nobody knows.
  if (status === undefined) {
    const isCertain = fault?.nothingSent === true || fault?.code === 'upstream-refused';
    return { outcome: isCertain ? 'failed' : 'unknown', errorCode: fault?.code };
  }
  if (status >= 400) return { outcome: 'failed', errorCode: String(status) };
  return { outcome: fault?.code === 'limit-exceeded' ? 'failed' : 'succeeded', errorCode: fault?.code };
}

/** Of a stream that did not come to its end. */
function cutOutcome(fault: GatewayFault | undefined): Completion['outcome'] {
  if (fault?.code === 'approval-cancelled') return 'cancelled';
  return fault?.code === 'limit-exceeded' ? 'failed' : 'unknown';
}

/** Until the head of an answer, where the target has no statement_timeout. */
const answerTimeoutMs = 5 * 60_000;

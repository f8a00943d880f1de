import type { Duplex } from 'node:stream';
import type { Outcome } from '../core/effect.ts';
import { GatewayFault, toFault } from '../core/fault.ts';
import type { Grant } from '../core/grant.ts';
import type { Completion, Operation } from '../core/operation.ts';
import type { AuditPort, PolicyPort } from '../core/ports.ts';
import type { PipelineSession } from '../core/pipeline-session.ts';
import { unknownTarget } from '../core/pipeline-faults.ts';
import { checkedHead, type CheckedHead } from '../protocols/http/index.ts';
import type {
  AskedRequest,
  CanonicalTarget,
  FaultContext,
  HeaderField,
  ReceivedRequest,
  RequestBody,
  RequestDialect,
} from '../protocols/request.ts';
import { AnswerRelay } from './http-answer.ts';
import type { AskedTunnel, UpgradeName } from '../protocols/tunnel.ts';
import type { NotedApprovals } from './http-approvals.ts';
import { bodyIdleMs, gather, rest, type Gathered } from './http-body.ts';
import type { ClientExchange } from './http-client.ts';
import { deadlinePassed, notToBeShown, noUpgrade, tooLongToApprove, tooSlow } from './http-faults.ts';
import { dialectOfPath, placeOf, type Place } from './http-place.ts';
import { tellHeld } from './http-held.ts';
import { readTarget } from './http-reads.ts';
import { refuse } from './http-refusal.ts';
import type { HttpSession, HttpSessions } from './http-sessions.ts';
import type { RequestTarget } from './http-target.ts';
import { runTunnel } from './http-tunnel.ts';
import { switchingFields, switchProtocols, type Upgraded } from './http-upgrade.ts';
import type { Forwarded, ForwardedBody } from './http-upstream.ts';
import { fieldsOf, type Upstream, type UpstreamAnswer } from './http-upstream-answer.ts';

export interface ExchangeOptions {
  /** The first one words what no other recognises. */
  readonly dialects: readonly [RequestDialect, ...RequestDialect[]];
  /** As it is configured now. */
  readonly target: (name: string) => RequestTarget | undefined;
  readonly sessions: HttpSessions;
  readonly policy: PolicyPort;
  readonly audit: Pick<AuditPort, 'durableCount' | 'durable'>;
  readonly approvals: NotedApprovals;
  /** Opens a connection to a target that is no one of these, as a client at `peer` would. */
  readonly join: ((target: string, peer: string) => Duplex) | undefined;
  readonly gatewayHost: () => string;
  /** Base of links for people, without a trailing slash. */
  readonly apiUrl: () => string;
  readonly report: (what: string, fault: GatewayFault, session: string | undefined) => void;
}

/**
 * One request and its answer: head checked → target found → first door → body gathered, as far as it goes → second door, which may take as long as people
 * take → forwarded under its grant → answered once the grant's record is durable. Never rejects. `fixedTarget`: the only one that is served at this port.
 *
 * Traps: a refusal never overtakes earlier answers, because HTTP/1.1 requests of one connection are served one by one (`http-server.ts`) and those of
 * HTTP/2 are independent; whoever waits for approval is told so, and whoever goes away ends what was asked.
 */
export async function exchange(client: ClientExchange, options: ExchangeOptions, fixedTarget?: string): Promise<void> {
  const abort = new AbortController();
  client.onGone(() => abort.abort(new GatewayFault('approval-cancelled', { publicMessage: clientGone })));
  const { dialects, sessions } = options;
  let words = dialectOfPath(client.head.target, fixedTarget === undefined ? dialects : []) ?? dialects[0];
  try {
    const checked = checkedHead(client.head);
    if (checked instanceof GatewayFault) throw checked;
    const recognised = dialects.find((dialect) => dialect.recognises(checked)) ?? dialects[0];
    if (words === dialects[0]) words = recognised;
    const place = arrival(checked, client.head.target, options, fixedTarget);
    words = place.dialect ?? recognised;
    const dialect = place.dialect ?? options.target(place.target)?.dialect ?? recognised;
    const { credential, head } = dialect.identify(checked);
    if (credential === undefined) throw new GatewayFault('authentication-failed', { publicMessage: 'a token is needed' });
    const opened = await sessions.of(credential, dialect.name, place.target, client.peer);
    words = dialect;
    await opened.run(abort, () => new Exchange(client, options, dialect, opened, abort).run(head, place));
  } catch (error) {
    const fault = toFault(error);
    if (fault.code === 'internal') options.report('request failed', fault, undefined);
    await refuse(client, words, fault, {});
  }
}

function arrival(head: CheckedHead, requestTarget: string, options: ExchangeOptions, fixedTarget: string | undefined): Place {
  if (fixedTarget !== undefined) return { target: fixedTarget, rest: requestTarget, prefix: '', dialect: undefined };
  return placeOf(head.host, requestTarget, options.gatewayHost(), options.dialects);
}

/** A request inside a session. */
class Exchange {
  readonly #client: ClientExchange;
  readonly #options: ExchangeOptions;
  readonly #dialect: RequestDialect;
  readonly #opened: HttpSession;
  readonly #session: PipelineSession;
  readonly #abort: AbortController;
  readonly #arrivedAt = performance.now();

  constructor(client: ClientExchange, options: ExchangeOptions, dialect: RequestDialect, opened: HttpSession, abort: AbortController) {
    this.#client = client;
    this.#options = options;
    this.#dialect = dialect;
    this.#opened = opened;
    this.#session = opened.session;
    this.#abort = abort;
  }

  async run(head: CheckedHead, place: Place): Promise<void> {
    await this.#options.target(this.#session.target.name)?.ready?.(this.#session);
    const request = await this.#received(head, place);
    this.#abort.signal.throwIfAborted();
    const target = this.#options.target(this.#session.target.name);
    if (target?.dialect !== this.#dialect) throw unknownTarget(this.#session.target.name);
    const asked = await this.#ask(target, request);
    const operation = asked.operation(this.#session);
    const deadline = asked.deadlineMs === undefined ? undefined : this.#startDeadline(asked.deadlineMs);
    try {
      const outcome = await this.#decide(asked, operation, request);
      if (outcome.kind === 'refused') {
        // Where its session has ended meanwhile, that is the reason, and nothing more can be recorded of it.
        const { aborted, reason } = this.#abort.signal;
        const fault = aborted ? (reason as GatewayFault) : outcome.fault;
        await this.#refuse(fault, operation);
        if (fault.code === 'recording-unavailable') this.#endUnrecorded(fault);
        return;
      }
      if (this.#wasHeld && (await this.#hasChanged(target, request, operation))) {
        this.#session.complete({ operationId: operation.id, outcome: 'cancelled', reason: changed, rows: 0, bytes: 0, masked: {} });
        await this.#refuse(new GatewayFault('approval-cancelled', { publicMessage: changed }), operation);
        return;
      }
      await this.#forward(target.upstream, asked, operation, outcome.grant, request);
    } finally {
      clearTimeout(deadline);
    }
  }

  #startDeadline(deadlineMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#abort.abort(deadlinePassed()), Math.max(0, this.#arrivedAt + deadlineMs - performance.now()));
  }

  async #ask(target: RequestTarget, request: ReceivedRequest): Promise<AskedRequest> {
    const reads = target.reads(request, this.#session);
    return target.ask(request, this.#session, await readTarget(reads, target.upstream, this.#session, this.#abort.signal));
  }

  /** What the target was asked about before may mean something else since people have looked at it. */
  async #hasChanged(target: RequestTarget, request: ReceivedRequest, operation: Operation): Promise<boolean> {
    if (target.reads(request, this.#session).length === 0) return false;
    const asked = await this.#ask(target, request);
    if ((asked.refusal ?? asked.refusalIfPermitted) !== undefined) return true;
    const again = asked.operation(this.#session);
    const isTheSame = JSON.stringify([again.acts, again.facts]) === JSON.stringify([operation.acts, operation.facts]);
    return !isTheSame || Buffer.compare(again.exact(), operation.exact()) !== 0;
  }

  async #received(head: CheckedHead, { rest, prefix }: Place): Promise<ReceivedRequest & { readonly body: RequestBody }> {
    const target = this.#dialect.readTarget(rest);
    if (target instanceof GatewayFault) {
      this.#session.note('request-refused', { code: target.code, detail: target.detail.slice(0, 256) });
      throw target;
    }
    if (head.expectsContinue) this.#client.continue();
    return {
      method: head.method,
      target,
      host: head.host,
      base: `${this.#client.scheme}://${head.host}${prefix}`,
      upgrade: head.upgrade,
      fields: head.fields,
      forwardable: head.upstream,
      body: await this.#body(head, target),
    };
  }

  async #body({ body }: CheckedHead, target: CanonicalTarget): Promise<RequestBody> {
    if (body.kind === 'none') return body;
    if (this.#options.target(this.#session.target.name)?.passes?.(target) === true) return { kind: 'streamed', octets: undefined };
    let gathered: Gathered;
    try {
      gathered = await gather(this.#client.request, this.#dialect.gathers);
    } catch (error) {
      throw this.#abort.signal.aborted ? this.#abort.signal.reason : toFault(error);
    }
    const { bytes, isWhole } = gathered;
    if (!isWhole) {
      this.#begun = bytes;
      return { kind: 'streamed', octets: body.kind === 'length' ? body.octets : undefined };
    }
    return bytes.length === 0 && body.kind === 'until-end' ? { kind: 'none' } : { kind: 'whole', bytes };
  }

  #wasHeld = false;
  /** What was read of a body that is too long to be gathered. */
  #begun: Uint8Array = new Uint8Array(0);

  // ---- the second door

  async #decide(asked: AskedRequest, operation: Operation, { body, upgrade }: ReceivedRequest): Promise<Outcome> {
    const session = this.#session;
    const { signal } = this.#abort;
    const notSpoken = upgrade !== undefined && asked.tunnel === undefined ? noUpgrade(upgrade) : undefined;
    const refusal = asked.refusal ?? notSpoken ?? this.#refusedBefore(asked, operation, body);
    if (refusal !== undefined) return session.refuse(operation, refusal);
    const cancel = (): void => void session.cancelHold(operation.id, (signal.reason as GatewayFault).publicMessage);
    signal.addEventListener('abort', cancel);
    let telling: ReturnType<typeof tellHeld> | undefined;
    try {
      return await session.decide(operation, () => {
        this.#wasHeld = true;
        if (signal.aborted) cancel();
        if (this.#dialect.tellsHeld) telling = tellHeld(this.#client);
      });
    } finally {
      telling?.stop();
      signal.removeEventListener('abort', cancel);
    }
  }

  /**
   * What policy says beyond the question that goes on record. Of acts that have something sensitive in them the real ones must be permitted too, and reviewed by
   * nobody else; a body that nobody has seen cannot be approved.
   */
  #refusedBefore(asked: AskedRequest, operation: Operation, body: RequestBody): GatewayFault | undefined {
    const { refusalIfPermitted } = asked;
    if (asked.unmasked === undefined && body.kind !== 'streamed' && refusalIfPermitted === undefined) return undefined;
    const { principal, target } = this.#session;
    try {
      const [real, recorded] = [asked.unmasked ?? operation, operation].map(({ acts, facts }) =>
        this.#options.policy.decide({ principal, target, acts, facts, cacheKey: undefined }),
      ) as [ReturnType<PolicyPort['decide']>, ReturnType<PolicyPort['decide']>];
      // Denied in any case, and put on record with its rule.
      if (recorded.kind === 'deny') return undefined;
      if (real.kind === 'deny') return new GatewayFault(real.code, { publicMessage: real.message });
      const isUnseen = body.kind === 'streamed' && asked.isApprovableUnseen !== true;
      if (isUnseen && (real.kind === 'hold' || recorded.kind === 'hold')) return tooLongToApprove(this.#dialect.gathers);
      if (refusalIfPermitted !== undefined) return refusalIfPermitted;
      if (real.kind === 'hold' && JSON.stringify(real) !== JSON.stringify(recorded)) return notToBeShown();
      return undefined;
    } catch (error) {
      return toFault(error);
    }
  }

  // ---- the target

  async #forward(
    upstream: Upstream,
    asked: AskedRequest,
    operation: Operation,
    grant: Grant,
    { body, upgrade }: ReceivedRequest,
  ): Promise<void> {
    const { audit } = this.#options;
    const { target } = this.#session;
    const { signal } = this.#abort;
    const { statementTimeoutMs } = this.#session.limits.inForce;
    let timer: NodeJS.Timeout | undefined;
    const startTimer = (): void => {
      timer ??= setTimeout(() => this.#abort.abort(tooSlow(target.name, statementTimeoutMs)), statementTimeoutMs ?? answerTimeoutMs);
    };
    const hasTimer = statementTimeoutMs !== undefined || asked.isLongLived !== true;
    // How long a client takes to send is no time of the target's.
    if (hasTimer && (body.kind !== 'streamed' || statementTimeoutMs !== undefined)) startTimer();
    let answer: UpstreamAnswer | undefined;
    let relay: AnswerRelay | undefined;
    try {
      const forwarded: Forwarded = {
        ...asked.upstream,
        fields: this.#forwardedFields(asked),
        body: this.#forwardedBody(asked, body, hasTimer ? startTimer : () => {}),
      };
      const { tunnel } = asked;
      if (upgrade !== undefined && tunnel !== undefined && upstream.upgrade !== undefined) {
        const { switched, spoken } = await switchProtocols(tunnel, forwarded, (request, protocol) =>
          upstream.upgrade!(request, protocol, grant, this.#session.id, signal),
        );
        if ('unread' in switched) {
          clearTimeout(timer);
          await this.#tunnel(tunnel, switched, spoken, operation, grant, upgrade);
          return;
        }
        answer = switched;
      } else answer = await upstream.send(forwarded, grant, this.#session.id, signal);
      if (statementTimeoutMs === undefined) clearTimeout(timer);
      relay = new AnswerRelay(answer, asked, this.#session.limits);
      // Nothing of the answer before the record of what was asked: if it cannot be made durable, nobody sees it.
      if (audit.durableCount <= grant.sequence) await audit.durable(grant.sequence);
      signal.throwIfAborted();
      await relay.run(this.#client, signal, target.name);
      this.#complete(operation, relay, undefined);
    } catch (error) {
      const fault = signal.aborted ? (signal.reason as GatewayFault) : toFault(error);
      this.#complete(operation, relay, fault);
      answer?.discard();
      if (this.#client.headSent) await this.#cut(relay, fault, operation);
      else await this.#refuse(fault, operation, relay !== undefined);
      if (fault.code === 'internal') this.#options.report('request failed', fault, this.#session.id);
    } finally {
      clearTimeout(timer);
    }
  }

  #forwardedFields({ upstream: { fields, timeLeft }, deadlineMs }: AskedRequest): readonly HeaderField[] {
    if (timeLeft === undefined || deadlineMs === undefined) return fields;
    return [...fields, timeLeft(Math.max(0, this.#arrivedAt + deadlineMs - performance.now()))];
  }

  /** The target has switched protocols: so does the client, and both streams run until the tunnel is over. */
  async #tunnel(
    tunnel: AskedTunnel,
    { head, socket, unread }: Upgraded,
    spoken: UpgradeName,
    operation: Operation,
    grant: Grant,
    upgrade: UpgradeName,
  ): Promise<void> {
    const { audit, join } = this.#options;
    const { signal } = this.#abort;
    try {
      if (audit.durableCount <= grant.sequence) await audit.durable(grant.sequence);
      signal.throwIfAborted();
      const opened = tunnel.open({ status: 101, fields: fieldsOf(head.rawHeaders) }, grant, spoken);
      if (opened instanceof GatewayFault) throw opened;
      const client = this.#client.switchProtocols([...switchingFields(this.#client.head.rawHeaders, upgrade), ...opened.fields]);
      const { bytes, fault } = await runTunnel({
        client,
        upstream: { socket, unread },
        tunnel: opened.session,
        session: this.#session,
        audit,
        idleMs: tunnel.idleMs,
        signal,
        join: join === undefined ? undefined : (name) => join(name, this.#client.peer),
        unrecorded: (error) => this.#endUnrecorded(error),
      });
      // What the tunnel itself did not put on record.
      this.#session.complete({ operationId: operation.id, outcome: 'unknown', reason: fault?.publicMessage, rows: 0, bytes, masked: {} });
      if (fault?.code === 'internal') this.#options.report('tunnel failed', fault, this.#session.id);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** `sent`: called when all of a body that passes as it comes was passed. */
  #forwardedBody(asked: AskedRequest, body: RequestBody, sent: () => void): ForwardedBody {
    if (body.kind !== 'streamed') {
      const bytes = asked.upstream.body;
      return bytes === undefined ? body : { kind: 'whole', bytes };
    }
    const abort = this.#abort;
    const pieces = rest(this.#client.request, this.#begun, asked.isLongLived === true ? undefined : bodyIdleMs);
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

  #complete(operation: Operation, relay: AnswerRelay | undefined, fault: GatewayFault | undefined): void {
    const completion: Completion = {
      operationId: operation.id,
      ...outcomeOf(relay, fault),
      reason: fault?.publicMessage,
      rows: relay?.rows ?? 0,
      bytes: relay?.bytes ?? 0,
      masked: relay?.masked ?? {},
    };
    try {
      if (relay !== undefined) {
        const { columns, row } = relay.sample();
        this.#session.sample({ operationId: operation.id, columns, rows: [row] });
      }
    } catch (error) {
      this.#endUnrecorded(error);
    }
    try {
      this.#session.complete(completion);
    } catch (error) {
      this.#endUnrecorded(error);
    }
  }

  /** A session that can no longer be recorded ends. */
  #endUnrecorded(error: unknown): void {
    const fault = toFault(error);
    this.#options.report('recording failed', fault, this.#session.id);
    void this.#opened.end(fault.publicMessage);
  }

  async #refuse(fault: GatewayFault, operation: Operation, ofTheAnswer = false): Promise<void> {
    await refuse(this.#client, this.#dialect, fault, this.#context(operation, ofTheAnswer));
  }

  /** What of the answer is with the client already stays there. */
  async #cut(relay: AnswerRelay | undefined, fault: GatewayFault, operation: Operation): Promise<void> {
    if (relay === undefined) this.#client.destroy();
    else await relay.cut(this.#client, fault, this.#context(operation, true));
  }

  #context(operation: Operation, ofTheAnswer: boolean): FaultContext {
    const id = this.#options.approvals.of(operation);
    const approval = id === undefined ? undefined : { id, link: `${this.#options.apiUrl()}/approvals/${id}` };
    return { operationId: operation.id, approval, ofTheAnswer };
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

const clientGone = 'the client went away';
const changed = 'what it is about has changed since approval was asked for';
/** Until the head of an answer, where the target has no statement_timeout. */
const answerTimeoutMs = 5 * 60_000;

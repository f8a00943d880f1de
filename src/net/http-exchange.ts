import type { Duplex } from 'node:stream';
import type { Outcome } from '../core/effect.ts';
import { GatewayFault, toFault } from '../core/fault.ts';
import type { Operation } from '../core/operation.ts';
import type { AuditPort, PolicyPort } from '../core/ports.ts';
import { unknownTarget } from '../core/pipeline-faults.ts';
import { checkedHead, checkedTrailers, type CheckedHead } from '../protocols/http/index.ts';
import type { AskedRequest, CanonicalTarget, ReceivedRequest, RequestBody, RequestDialect } from '../protocols/request.ts';
import type { NotedApprovals } from './http-approvals.ts';
import { gather, type Gathered } from './http-body.ts';
import type { ClientExchange } from './http-client.ts';
import { deadlinePassed, notToBeShown, noUpgrade, tooLongToApprove } from './http-faults.ts';
import { forward } from './http-forwarding.ts';
import { dialectOfPath, placeOf, type Place } from './http-place.ts';
import { tellHeld } from './http-held.ts';
import { readTarget } from './http-reads.ts';
import { refuse } from './http-refusal.ts';
import { HttpSession, type HttpSessions } from './http-sessions.ts';
import type { KnownHead } from './http2-heads.ts';
import type { RequestTarget } from './http-target.ts';
import type { Understood } from './http-understood.ts';
import { UnderWay } from './http-under-way.ts';
import { Stop } from './stop.ts';

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
  const abort = new Stop();
  client.onGone(() => abort.abort(new GatewayFault('approval-cancelled', { publicMessage: clientGone })));
  if (client.understood !== undefined) return exchangeAgain(client, client.understood, options, abort);
  const { dialects, sessions } = options;
  let words = dialectOfPath(client.head.target, fixedTarget === undefined ? dialects : []) ?? dialects[0];
  try {
    const known = client.heads?.find(client.head);
    const checked = known?.head ?? acceptedHead(client);
    const recognised = dialects.find((dialect) => dialect.recognises(checked)) ?? dialects[0];
    if (words === dialects[0]) words = recognised;
    const place = arrival(checked, client.head.target, options, fixedTarget);
    const crossOrigin = options.target(place.target)?.crossOrigin?.(checked);
    client.answersWith(crossOrigin?.fields ?? []);
    // Browsers send no token with it. Nothing is asked of the target, and nothing told of it but that it lets such pages call.
    if (crossOrigin?.isPreflight === true) return client.endWithHead(204, []);
    words = place.dialect ?? recognised;
    const dialect = place.dialect ?? options.target(place.target)?.dialect ?? recognised;
    const { head, session, isRepeated } = enter(client, known, checked, dialect, place, sessions);
    const opened = session instanceof HttpSession ? session : await session;
    words = dialect;
    opened.begin(abort);
    try {
      await new Exchange(new UnderWay(client, options, dialect, opened, abort)).run(head, place, isRepeated);
    } finally {
      opened.finished(abort);
    }
  } catch (error) {
    await fail(client, words, error, options);
  }
}

/** The same for a request that is byte for byte one that was understood before: from its session on. */
async function exchangeAgain(client: ClientExchange, understood: Understood, options: ExchangeOptions, abort: Stop): Promise<void> {
  const { session, dialect } = understood;
  try {
    client.answersWith(understood.onEveryAnswer);
    session.begin(abort);
    try {
      await new Exchange(new UnderWay(client, options, dialect, session, abort)).again(understood);
    } finally {
      session.finished(abort);
    }
  } catch (error) {
    await fail(client, dialect, error, options);
  }
}

async function fail(client: ClientExchange, words: RequestDialect, error: unknown, options: ExchangeOptions): Promise<void> {
  const fault = toFault(error);
  if (fault.code === 'internal') options.report('request failed', fault, undefined);
  await refuse(client, words, fault, {});
}

function acceptedHead(client: ClientExchange): CheckedHead {
  const checked = checkedHead(client.head);
  if (checked instanceof GatewayFault) throw checked;
  return checked;
}

interface Entered {
  /** Without the credential where that stands anywhere but in its own field. */
  readonly head: CheckedHead;
  readonly session: HttpSession | Promise<HttpSession>;
  /** The same head object as before. */
  readonly isRepeated: boolean;
}

/** The first door. Whoever came through it with the very same head on the same connection is known again as long as the session runs. */
function enter(
  client: ClientExchange,
  known: KnownHead | undefined,
  checked: CheckedHead,
  dialect: RequestDialect,
  { target }: Place,
  sessions: HttpSessions,
): Entered {
  const again = known?.dialect === dialect ? sessions.again(known.credentialHash, dialect.name, target) : undefined;
  if (again !== undefined) return { head: checked, session: again, isRepeated: true };
  const sent = known === undefined ? checked : acceptedHead(client);
  const { credential, head } = dialect.identify(sent);
  if (credential === undefined) throw new GatewayFault('authentication-failed', { publicMessage: 'a token is needed' });
  const session = sessions.of(credential, dialect.name, target, client.peer);
  if (session instanceof HttpSession && head === sent) client.heads?.keep(client.head, head, credential, dialect);
  return { head, session, isRepeated: false };
}

function arrival(head: CheckedHead, requestTarget: string, options: ExchangeOptions, fixedTarget: string | undefined): Place {
  if (fixedTarget !== undefined) return { target: fixedTarget, rest: requestTarget, prefix: '', dialect: undefined };
  return placeOf(head.host, requestTarget, options.gatewayHost(), options.dialects);
}

/** A request inside a session, up to its decision. */
class Exchange {
  readonly #underWay: UnderWay;
  #wasHeld = false;
  /** What was read of a body that is too long to be gathered. */
  #begun: Uint8Array = new Uint8Array(0);

  constructor(underWay: UnderWay) {
    this.#underWay = underWay;
  }

  async run(head: CheckedHead, place: Place, isRepeated: boolean): Promise<void> {
    const { options, session, abort, dialect } = this.#underWay;
    // Most requests need nothing of what is awaited here, and each wait for nothing is a round of the queue of promises.
    const ready = options.target(session.target.name)?.ready?.(session);
    if (ready !== undefined) await ready;
    const received = this.#received(head, place, isRepeated);
    const request = received instanceof Promise ? await received : received;
    abort.signal.throwIfAborted();
    const target = options.target(session.target.name);
    if (target?.dialect !== dialect) throw unknownTarget(session.target.name);
    const understood = this.#underWay.understood(target, request, head);
    this.#underWay.client.understood = understood;
    await this.#serve(target, request, understood);
  }

  /** What was understood holds still: its caller has seen to it (`Understood.holds`). */
  again(understood: Understood): Promise<void> {
    const { target, request } = understood;
    const ready = target.ready?.(this.#underWay.session);
    if (ready === undefined) return this.#serve(target, request, understood);
    return ready.then(() => {
      if (!understood.holds) throw unknownTarget(this.#underWay.session.target.name);
      return this.#serve(target, request, understood);
    });
  }

  async #serve(target: RequestTarget, request: ReceivedRequest, understood: Understood | undefined): Promise<void> {
    const { session, abort } = this.#underWay;
    const asking = understood?.asked(session) ?? this.#ask(target, request, understood);
    const asked = asking instanceof Promise ? await asking : asking;
    const operation = asked.operation(session);
    const deadline = asked.deadlineMs === undefined ? undefined : this.#startDeadline(asked.deadlineMs);
    try {
      const deciding = this.#decide(asked, operation, request);
      const outcome = deciding instanceof Promise ? await deciding : deciding;
      if (outcome.kind === 'refused') {
        // Where its session has ended meanwhile, that is the reason, and nothing more can be recorded of it.
        const { aborted, reason } = abort.signal;
        const fault = aborted ? (reason as GatewayFault) : outcome.fault;
        await this.#underWay.refuse(fault, operation);
        if (fault.code === 'recording-unavailable') this.#underWay.endUnrecorded(fault);
        return;
      }
      if (this.#wasHeld && (await this.#hasChanged(target, request, operation))) {
        session.complete({ operationId: operation.id, outcome: 'cancelled', reason: changed, rows: 0, bytes: 0, masked: {} });
        await this.#underWay.refuse(new GatewayFault('approval-cancelled', { publicMessage: changed }), operation);
        return;
      }
      await forward(this.#underWay, target.upstream, { request, asked, operation, grant: outcome.grant, begun: this.#begun });
    } finally {
      clearTimeout(deadline);
    }
  }

  #startDeadline(deadlineMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#underWay.abort.abort(deadlinePassed()), this.#underWay.timeLeft(deadlineMs));
  }

  #ask(target: RequestTarget, request: ReceivedRequest, understood?: Understood): AskedRequest | Promise<AskedRequest> {
    const { session, abort } = this.#underWay;
    const reads = target.reads(request, session);
    if (reads.length === 0) {
      const asked = target.ask(request, session, []);
      understood?.keep(session, asked);
      return asked;
    }
    return readTarget(reads, target.upstream, session, abort.signal).then((read) => target.ask(request, session, read));
  }

  /** What the target was asked about before may mean something else since people have looked at it. */
  async #hasChanged(target: RequestTarget, request: ReceivedRequest, operation: Operation): Promise<boolean> {
    const { session } = this.#underWay;
    if (target.reads(request, session).length === 0) return false;
    const asked = await this.#ask(target, request);
    if ((asked.refusal ?? asked.refusalIfPermitted) !== undefined) return true;
    const again = asked.operation(session);
    const isTheSame = JSON.stringify([again.acts, again.facts]) === JSON.stringify([operation.acts, operation.facts]);
    return !isTheSame || Buffer.compare(again.exact(), operation.exact()) !== 0;
  }

  #received(head: CheckedHead, place: Place, isRepeated: boolean): ReceivedRequest | Promise<ReceivedRequest> {
    const { client, session, dialect } = this.#underWay;
    const target = dialect.readTarget(place.rest);
    if (target instanceof GatewayFault) {
      session.note('request-refused', { code: target.code, detail: target.detail.slice(0, 256) });
      throw target;
    }
    if (head.expectsContinue) client.continue();
    const body = head.body;
    if (body.kind === 'none') return this.#request(head, place, target, body, isRepeated);
    const read = this.#body(head, target);
    if (!(read instanceof Promise)) return this.#request(head, place, target, read, isRepeated);
    return read.then((waitedFor) => this.#request(head, place, target, waitedFor, isRepeated));
  }

  #request(head: CheckedHead, { prefix }: Place, target: CanonicalTarget, body: RequestBody, isRepeated: boolean): ReceivedRequest {
    const { client } = this.#underWay;
    return {
      method: head.method,
      target,
      host: head.host,
      base: `${client.scheme}://${head.host}${prefix}`,
      upgrade: head.upgrade,
      fields: head.fields,
      forwardable: head.upstream,
      isRepeated,
      body,
      // Those of a body that passes as it comes are not there yet.
      ...(body.kind === 'whole' ? { trailers: checkedTrailers(client.trailers) } : {}),
    };
  }

  #body(head: CheckedHead, target: CanonicalTarget): RequestBody | Promise<RequestBody> {
    const { client, session, dialect, options } = this.#underWay;
    if (options.target(session.target.name)?.passes?.(target) === true) return { kind: 'streamed', octets: undefined };
    const bytes = client.takeBody(dialect.gathers);
    return bytes === undefined ? this.#gathered(head) : this.#whole(head, bytes);
  }

  async #gathered(head: CheckedHead): Promise<RequestBody> {
    const { client, dialect, abort } = this.#underWay;
    let read: Gathered;
    try {
      read = await gather(client.request, dialect.gathers);
    } catch (error) {
      throw abort.signal.aborted ? abort.signal.reason : toFault(error);
    }
    const { bytes, isWhole } = read;
    if (isWhole) return this.#whole(head, bytes);
    this.#begun = bytes;
    // Trailers need chunks upstream.
    const mayHaveTrailers = client.isHttp2 && head.fields.some(({ name }) => name === 'trailer');
    return { kind: 'streamed', octets: head.body.kind === 'length' && !mayHaveTrailers ? head.body.octets : undefined };
  }

  #whole({ body }: CheckedHead, bytes: Uint8Array): RequestBody {
    const isNothing = bytes.length === 0 && body.kind === 'until-end' && this.#underWay.client.trailers.length === 0;
    return isNothing ? { kind: 'none' } : { kind: 'whole', bytes };
  }

  // ---- the second door

  #decide(asked: AskedRequest, operation: Operation, { body, upgrade }: ReceivedRequest): Outcome | Promise<Outcome> {
    const { session, abort, dialect, client } = this.#underWay;
    const { signal } = abort;
    const notSpoken = upgrade !== undefined && asked.tunnel === undefined ? noUpgrade(upgrade) : undefined;
    const refusal = asked.refusal ?? notSpoken ?? this.#refusedBefore(asked, operation, body);
    if (refusal !== undefined) return session.refuse(operation, refusal);
    const cancel = (): void => void session.cancelHold(operation.id, (signal.reason as GatewayFault).publicMessage);
    let telling: ReturnType<typeof tellHeld> | undefined;
    const outcome = session.decide(operation, () => {
      this.#wasHeld = true;
      signal.addEventListener('abort', cancel);
      if (signal.aborted) cancel();
      if (dialect.tellsHeld) telling = tellHeld(client);
    });
    if (!(outcome instanceof Promise)) return outcome;
    return outcome.finally(() => {
      telling?.stop();
      if (this.#wasHeld) signal.removeEventListener('abort', cancel);
    });
  }

  /**
   * What policy says beyond the question that goes on record. Of acts that have something sensitive in them the real ones must be permitted too, and reviewed by
   * nobody else; a body that nobody has seen cannot be approved.
   */
  #refusedBefore(asked: AskedRequest, operation: Operation, body: RequestBody): GatewayFault | undefined {
    const { refusalIfPermitted } = asked;
    if (asked.unmasked === undefined && body.kind !== 'streamed' && refusalIfPermitted === undefined) return undefined;
    const { session, options, dialect } = this.#underWay;
    const { principal, target } = session;
    try {
      const [real, recorded] = [asked.unmasked ?? operation, operation].map(({ acts, facts }) =>
        options.policy.decide({ principal, target, acts, facts, cacheKey: undefined }),
      ) as [ReturnType<PolicyPort['decide']>, ReturnType<PolicyPort['decide']>];
      // Denied in any case, and put on record with its rule.
      if (recorded.kind === 'deny') return undefined;
      if (real.kind === 'deny') return new GatewayFault(real.code, { publicMessage: real.message });
      const isUnseen = body.kind === 'streamed' && asked.isApprovableUnseen !== true;
      if (isUnseen && (real.kind === 'hold' || recorded.kind === 'hold')) return tooLongToApprove(dialect.gathers);
      if (refusalIfPermitted !== undefined) return refusalIfPermitted;
      if (real.kind === 'hold' && JSON.stringify(real) !== JSON.stringify(recorded)) return notToBeShown();
      return undefined;
    } catch (error) {
      return toFault(error);
    }
  }
}

const clientGone = 'the client went away';
const changed = 'what it is about has changed since approval was asked for';

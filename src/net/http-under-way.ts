import { speaksOfCredential, type CheckedHead } from '../protocols/http/index.ts';
import type { FaultContext, ReceivedRequest, RequestDialect } from '../protocols/request.ts';
import { toFault, type GatewayFault } from '../core/fault.ts';
import type { Operation } from '../core/operation.ts';
import type { PipelineSession } from '../core/pipeline-session.ts';
import type { ClientExchange } from './http-client.ts';
import type { ExchangeOptions } from './http-exchange.ts';
import { refuse } from './http-refusal.ts';
import type { HttpSession } from './http-sessions.ts';
import type { RequestTarget } from './http-target.ts';
import { Understood } from './http-understood.ts';
import type { Stop } from './stop.ts';

/** A request inside a session: what all who work on it know. */
export class UnderWay {
  readonly client: ClientExchange;
  readonly options: ExchangeOptions;
  readonly dialect: RequestDialect;
  readonly session: PipelineSession;
  readonly abort: Stop;
  readonly arrivedAt = performance.now();
  readonly #opened: HttpSession;

  constructor(client: ClientExchange, options: ExchangeOptions, dialect: RequestDialect, opened: HttpSession, abort: Stop) {
    this.client = client;
    this.options = options;
    this.dialect = dialect;
    this.session = opened.session;
    this.abort = abort;
    this.#opened = opened;
  }

  /** What is kept of a request for one that is the same; undefined where no other can be, or where a secret may be in it besides its credential. */
  understood(target: RequestTarget, request: ReceivedRequest, head: CheckedHead): Understood | undefined {
    const { client, dialect, options } = this;
    if (client.isHttp2 || request.body.kind !== 'none' || request.upgrade !== undefined || head.expectsContinue) return undefined;
    if ([...request.fields, ...request.target.parameters].some(({ name }) => speaksOfCredential(name))) return undefined;
    return new Understood({ dialect, session: this.#opened, target, request, onEveryAnswer: client.onEveryAnswer, find: options.target });
  }

  /** Milliseconds until its own deadline, which was so far away when it came. */
  timeLeft(deadlineMs: number): number {
    return Math.max(0, this.arrivedAt + deadlineMs - performance.now());
  }

  async refuse(fault: GatewayFault, operation: Operation, ofTheAnswer = false): Promise<void> {
    await refuse(this.client, this.dialect, fault, this.faultContext(operation, ofTheAnswer));
  }

  faultContext(operation: Operation, ofTheAnswer: boolean): FaultContext {
    const id = this.options.approvals.of(operation);
    const approval = id === undefined ? undefined : { id, link: `${this.options.apiUrl()}/approvals/${id}` };
    return { operationId: operation.id, approval, ofTheAnswer };
  }

  /** A session that can no longer be recorded ends. */
  endUnrecorded(error: unknown): void {
    const fault = toFault(error);
    this.options.report('recording failed', fault, this.session.id);
    void this.#opened.end(fault.publicMessage);
  }
}

import type { Crypto } from '../../../core/crypto.ts';
import type { Effect, OpenSession, Outcome, Side, SignInRequest, WireSession } from '../../../core/effect.ts';
import { GatewayFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import { noLimits, type Limits } from '../../../core/limits.ts';
import type { Completion, Operation } from '../../../core/operation.ts';
import type { MaskingMode } from '../../../core/target.ts';
import type { DataClasses } from '../../../masking/classes.ts';
import type { Analysis } from '../../../sql/statement.ts';
import * as encode from '../encode.ts';
import type { PostgresEnvironment, PostgresTarget } from '../environment.ts';
import { fixedCatalogue } from './fixed-catalogue.ts';
import { createPostgresSession } from '../session.ts';
import { CLIENT_TAG } from '../messages.ts';
import type { SchemaCatalogue } from '../schema-catalogue.ts';
import { bankResult } from './bank.ts';
import { FakeServer, type FakeResult } from './fake-server.ts';

export interface GatewayOptions {
  readonly crypto: Crypto;
  readonly analyse: (sql: string) => Analysis;
  readonly masking?: MaskingMode;
  readonly readOnly?: boolean;
  readonly limits?: Limits;
  readonly revealed?: readonly string[];
  readonly policy?: (operation: Operation) => 'allow' | 'deny' | 'hold';
  readonly results?: (text: string) => FakeResult;
  readonly environment?: Partial<PostgresEnvironment>;
  readonly target?: Partial<PostgresTarget>;
  readonly catalogue: SchemaCatalogue;
  readonly classes: DataClasses;
  readonly startup?: readonly { readonly name: string; readonly value: string }[];
  /** The server's bytes reach the gateway only when `serve` is called. */
  readonly slowServer?: boolean;
}

export type Decided = Operation & { readonly outcome: 'granted' | 'refused' | 'held' };

/**
 * A session between a client, whose bytes the test sends, and a fake server, with a driver and a pipeline of a few lines and no socket.
 * Like the real driver it refuses bytes without a living grant; unlike it, it remembers everything.
 */
export class TestGateway {
  readonly server: FakeServer;
  readonly operations: Decided[] = [];
  readonly completions: Completion[] = [];
  readonly notes: string[] = [];
  readonly toServer: Uint8Array[] = [];
  readonly toClient: Uint8Array[] = [];
  readonly cancels: Uint8Array[] = [];
  readonly held: Operation[] = [];
  readonly signIns: SignInRequest[] = [];
  staleMarks: string[] = [];
  rowsLeft = Number.POSITIVE_INFINITY;
  /** The deadline that was asked for last. */
  deadlineMs: number | undefined;
  policyVersion = 'v1';
  policy: (operation: Operation) => 'allow' | 'deny' | 'hold';
  /** How the session ended; undefined while it is open. */
  ended: GatewayFault | 'closed' | undefined;
  readonly #wire: WireSession;
  readonly #options: GatewayOptions;
  readonly #living = new Set<Grant>();
  readonly #session: OpenSession;
  readonly #effects: Effect[] = [];
  readonly #unserved: Uint8Array[] = [];
  #sequence = 0;
  #applying = false;
  #signedOn = false;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.policy = options.policy ?? (() => 'allow');
    this.server = new FakeServer(options.results ?? bankResult);
    this.#session = this.#open();
    this.#wire = createPostgresSession(this.#environment());
  }

  /** Signed on at the server, ready for statements. What went either way so far is forgotten. */
  static ready(options: GatewayOptions): TestGateway {
    const gateway = new TestGateway(options);
    const startup = options.startup ?? [
      { name: 'user', value: 'agent' },
      { name: 'database', value: 'orders' },
    ];
    gateway.client(encode.startupMessage(0, startup));
    gateway.client(encode.passwordMessage('token'));
    gateway.upstream(
      encode.authenticationOk(),
      encode.parameterStatus('client_encoding', 'UTF8'),
      encode.backendKeyData(4_711, new Uint8Array([1, 2, 3, 4])),
      encode.readyForQuery('I'),
    );
    if (gateway.ended instanceof GatewayFault) throw gateway.ended;
    gateway.#signedOn = true;
    gateway.toServer.length = 0;
    gateway.toClient.length = 0;
    return gateway;
  }

  /** The client sends these messages, in one piece each. */
  client(...messages: readonly Uint8Array[]): void {
    for (const message of messages) this.receive('client', message);
  }

  /** The server sends these messages, whatever it was asked. */
  upstream(...messages: readonly Uint8Array[]): void {
    for (const message of messages) this.receive('upstream', message);
  }

  receive(side: Side, bytes: Uint8Array): void {
    this.#take(() => this.#wire.receive(side, bytes));
  }

  /** What the slow server has said up to now arrives. */
  serve(): void {
    for (let next = this.#unserved.shift(); next !== undefined; next = this.#unserved.shift()) this.receive('upstream', next);
  }

  /** The oldest held operation is answered. */
  answer(granted: boolean): void {
    const operation = this.held.shift();
    if (operation === undefined) throw new Error('nothing is held');
    this.#take(() => this.#wire.decide(operation.id, this.#outcome(operation, granted)));
  }

  notify(event: Parameters<WireSession['notify']>[0]): void {
    this.#take(() => this.#wire.notify(event));
  }

  get hasUnserved(): boolean {
    return this.#unserved.length > 0;
  }

  get living(): number {
    return this.#living.size - 1;
  }

  #take(step: () => readonly Effect[]): void {
    if (this.ended !== undefined) return;
    try {
      this.#effects.push(...step());
      this.#apply();
    } catch (error) {
      if (!(error instanceof GatewayFault)) throw error;
      this.#effects.length = 0;
      this.#applying = false;
      this.#effects.push(...this.#wire.notify({ kind: 'end', fault: error }));
      this.#apply();
      this.ended = error;
    }
  }

  #apply(): void {
    if (this.#applying) return;
    this.#applying = true;
    for (let next = this.#effects.shift(); next !== undefined; next = this.#effects.shift()) this.#applyOne(next);
    this.#applying = false;
    if (this.#options.slowServer !== true && this.#unserved.length > 0 && this.ended === undefined) this.serve();
  }

  #applyOne(effect: Effect): void {
    switch (effect.kind) {
      case 'forward': {
        if (!this.#living.has(effect.grant)) throw new Error('forward without a living grant');
        const bytes = effect.bytes.slice();
        this.toServer.push(bytes);
        if (effect.grant === this.#session.grant) this.check(bytes);
        if (this.#signedOn) this.#unserved.push(...this.server.receive(bytes));
        return;
      }
      case 'reply':
        this.toClient.push(effect.bytes.slice());
        return;
      case 'ask':
        this.#ask(effect.operation, effect.refusal);
        return;
      case 'complete':
        this.completions.push(effect.completion);
        for (const grant of this.#living) if (grant.operationId === effect.completion.operationId) this.#living.delete(grant);
        return;
      case 'note':
        this.notes.push(effect.event);
        return;
      case 'sign-in':
        this.signIns.push(effect.request);
        this.#effects.unshift(...this.#wire.notify({ kind: 'signed-in', session: this.#session }));
        return;
      case 'connect':
        this.#effects.unshift(...this.#wire.notify({ kind: 'connected' }));
        return;
      case 'start-tls':
        this.#effects.unshift(...this.#wire.notify({ kind: 'encrypted', side: effect.side, certificate: undefined, alpn: effect.alpn }));
        return;
      case 'wait':
        // What only the client waits for takes no time here.
        if (effect.upstream) void effect.until.then(() => this.notify({ kind: 'resumed' }));
        else this.#effects.unshift(...this.#wire.notify({ kind: 'resumed' }));
        return;
      case 'cancel-upstream':
        this.cancels.push(effect.packet);
        return;
      case 'deadline':
        this.deadlineMs = effect.afterMs;
        return;
      case 'close':
        this.ended = effect.fault ?? 'closed';
        return;
      default:
        return;
    }
  }

  #ask(operation: Operation, refusal: GatewayFault | undefined): void {
    const answer = refusal === undefined ? this.policy(operation) : 'deny';
    if (answer === 'hold' && !operation.naming) {
      this.operations.push(decided(operation, 'held'));
      this.held.push(operation);
      this.#effects.push(...this.#wire.notify({ kind: 'held', operationId: operation.id, message: 'waiting for approval' }));
      return;
    }
    const granted = answer !== 'deny';
    this.operations.push(decided(operation, granted ? 'granted' : 'refused'));
    const outcome: Outcome = refusal === undefined ? this.#outcome(operation, granted) : { kind: 'refused', fault: refusal };
    this.#effects.unshift(...this.#wire.decide(operation.id, outcome));
  }

  #outcome(operation: Operation, granted: boolean): Outcome {
    if (!granted) return { kind: 'refused', fault: new GatewayFault('policy-denied', { publicMessage: 'denied by policy' }) };
    return { kind: 'granted', grant: operation.naming ? this.#session.grant : this.#mint(operation.id) };
  }

  /** Under the session's own grant nothing runs: what runs something must be the statement that no server accepts. */
  check(bytes: Uint8Array): void {
    if (!this.#signedOn || !this.server.atBoundary) return;
    const runs = bytes[0] === CLIENT_TAG.Bind || bytes[0] === CLIENT_TAG.Execute;
    const refused = bytes[0] !== CLIENT_TAG.Query || new TextDecoder().decode(bytes.subarray(5)).startsWith('REFUSED BY SALLYPORT');
    if (runs || !refused) throw new Error('a statement was forwarded that nobody decided on');
  }

  #mint(operationId: string): Grant {
    this.#sequence += 1;
    const grant = { sessionId: 's', operationId, sequence: this.#sequence };
    this.#living.add(grant);
    return grant;
  }

  #open(): OpenSession {
    let operations = 0;
    const { masking = 'taint' } = this.#options;
    return {
      id: 's',
      grant: this.#mint('s-0'),
      principal: {
        issuer: 'ci',
        issuerUrl: 'https://ci.test',
        subject: 'job',
        kind: 'agent',
        groups: [],
        groupsKnown: true,
        claims: {},
        display: 'job',
        expiresAtMs: 0,
        tokenId: undefined,
        authenticatedBy: 'oidc-token',
      },
      target: { name: 'orders', protocol: 'postgres', labels: {}, masking, hold: 'wait', readOnly: this.#options.readOnly === true },
      limits: { inForce: this.#options.limits ?? noLimits, rowsLeft: () => this.rowsLeft, countRows: (rows) => (this.rowsLeft -= rows) },
      nextOperationId: () => `s-${(operations += 1)}`,
    };
  }

  #environment(): PostgresEnvironment {
    const { crypto, analyse, catalogue, classes } = this.#options;
    return {
      crypto,
      listenerTarget: undefined,
      clientAuth: 'password',
      canEncrypt: false,
      unsafePlaintext: true,
      openidConfiguration: undefined,
      analyse,
      target: (name) => ({
        name,
        user: 'gw',
        password: 'upstream secret',
        database: 'orders',
        tls: false,
        classes,
        ...fixedCatalogue(catalogue),
        catalogueStale: async (_database, what) => void this.staleMarks.push(what),
        ...this.#options.target,
      }),
      reveals: () => new Set(this.#options.revealed),
      policyVersion: () => this.policyVersion,
      ...this.#options.environment,
    };
  }
}

function decided(operation: Operation, outcome: Decided['outcome']): Decided {
  return { ...operation, exact: () => operation.exact(), unmasked: () => operation.unmasked(), outcome };
}

import { hash } from 'node:crypto';
import { GatewayFault, toFault } from '../core/fault.ts';
import type { Pipeline } from '../core/pipeline.ts';
import type { PipelineSession } from '../core/pipeline-session.ts';
import type { Protocol } from '../core/target.ts';
import { failureRefillMs, Failures } from './failures.ts';
import type { SessionRegistry } from './sessions.ts';
import type { Stop } from './stop.ts';

export interface HttpSessionsOptions {
  readonly pipeline: Pipeline;
  readonly sessions: SessionRegistry;
  readonly report: (what: string, fault: GatewayFault, session: string | undefined) => void;
  /** A session without a request for so long ends, milliseconds. */
  readonly idleMs?: number;
}

/**
 * The sessions of clients of request protocols, which have connections but no sessions of their own: a session is the use of one target by one credential, over
 * whatever connections. Its first request opens it; it ends when nothing was asked for a while, with its identity, or when an operator
 * ends it. Only a hash of the credential is kept.
 */
export class HttpSessions {
  readonly #options: HttpSessionsOptions;
  /** By promise while they are opened. */
  readonly #open = new Map<string, HttpSession | Promise<HttpSession>>();
  readonly #failures = new Failures();
  #closing: string | undefined;

  constructor(options: HttpSessionsOptions) {
    this.#options = options;
  }

  /** The session of this credential at this target, reached by this protocol. Throws what signing in throws. */
  of(credential: string, protocol: Protocol, target: string, peer: string): HttpSession | Promise<HttpSession> {
    if (this.#closing !== undefined) throw new GatewayFault('shutting-down', { publicMessage: this.#closing });
    const key = keyOf(hashOf(credential), protocol, target);
    const open = this.#open.get(key);
    if (open instanceof HttpSession && !open.hasEnded) return open;
    return this.#opened(key, credential, protocol, target, peer);
  }

  /** The same for a credential that was let in before, by its hash. Undefined: it has to be looked at again. */
  again(credentialHash: string, protocol: Protocol, target: string): HttpSession | undefined {
    const open = this.#closing === undefined ? this.#open.get(keyOf(credentialHash, protocol, target)) : undefined;
    return open instanceof HttpSession && !open.hasEnded ? open : undefined;
  }

  async #opened(key: string, credential: string, protocol: Protocol, target: string, peer: string): Promise<HttpSession> {
    for (let open = this.#open.get(key); open !== undefined; open = this.#open.get(key)) {
      const session = await open;
      if (!session.hasEnded) return session;
      this.#forget(key, open);
      this.#forget(key, session);
    }
    const opening = this.#begin(credential, protocol, target, peer, (session) => {
      this.#forget(key, opening);
      this.#forget(key, session);
    });
    this.#open.set(key, opening);
    try {
      const session = await opening;
      if (this.#open.get(key) === opening) this.#open.set(key, session);
      return session;
    } catch (error) {
      this.#forget(key, opening);
      throw error;
    }
  }

  /** Ends all; resolves when their last records are appended. */
  async close(reason: string): Promise<void> {
    this.#closing = reason;
    const opened = await Promise.allSettled([...this.#open.values()].map(async (one) => await one));
    await Promise.all(opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value.end(reason, 'shutting-down')] : [])));
  }

  async #begin(
    credential: string,
    protocol: Protocol,
    target: string,
    peer: string,
    ended: (session: HttpSession) => void,
  ): Promise<HttpSession> {
    const { pipeline, sessions, report } = this.#options;
    const address = peer.slice(0, peer.lastIndexOf(':'));
    if (this.#failures.areTooMany(address)) throw tooManyFailures();
    const session = await this.#signIn(
      address,
      pipeline.open({
        signIn: {
          credential,
          targetName: target,
          acts: (name) => [{ action: 'connect', object: { type: 'Target', id: name } }],
          facts: {},
          part: undefined,
          claimedUser: '',
        },
        listenerTarget: undefined,
        protocol,
        peer,
      }),
    );
    const opened = new HttpSession(session, {
      idleMs: this.#options.idleMs ?? defaultIdleMs,
      ended: () => {
        sessions.remove(session.id);
        ended(opened);
      },
      failed: (error) => report('session not closed', toFault(error), session.id),
    });
    sessions.add({
      id: session.id,
      principal: session.principal,
      target: session.target,
      peer,
      startedAtMs: session.startedAtMs,
      get operations() {
        return session.operations;
      },
      end: (reason) => void opened.end(reason),
    });
    return opened;
  }

  /** Whoever has a session goes on: only new tokens are guesses. */
  async #signIn(address: string, opening: Promise<PipelineSession>): Promise<PipelineSession> {
    try {
      return await opening;
    } catch (error) {
      if (error instanceof GatewayFault && error.code === 'authentication-failed') this.#failures.failed(address);
      throw error;
    }
  }

  #forget(key: string, session: HttpSession | Promise<HttpSession>): void {
    if (this.#open.get(key) === session) this.#open.delete(key);
  }
}

interface HttpSessionOptions {
  readonly idleMs: number;
  readonly ended: () => void;
  readonly failed: (error: unknown) => void;
}

/** One of them. */
export class HttpSession {
  readonly session: PipelineSession;
  readonly #options: HttpSessionOptions;
  readonly #running = new Set<Stop>();
  #idleSinceMs = Date.now();
  #timer: NodeJS.Timeout;
  #closed: Promise<void> | undefined;

  constructor(session: PipelineSession, options: HttpSessionOptions) {
    this.session = session;
    this.#options = options;
    this.#timer = this.#wait();
  }

  get hasEnded(): boolean {
    return this.#closed !== undefined || Date.now() >= this.session.endsAtMs;
  }

  /** A request runs until `finished`; the session ends by aborting it, with the fault as the reason. Throws where it may not. */
  begin(abort: Stop): void {
    if (this.hasEnded) throw new GatewayFault('session-ended', { publicMessage: 'session ended' });
    if (this.#running.size >= maxRunning) {
      throw new GatewayFault('rate-exceeded', { publicMessage: `${maxRunning} requests with this token run at this target already` });
    }
    this.#running.add(abort);
  }

  finished(abort: Stop): void {
    this.#running.delete(abort);
    this.#idleSinceMs = Date.now();
  }

  /** `code`: what the clients of requests that run are told. */
  end(reason: string, code: 'session-ended' | 'shutting-down' = 'session-ended'): Promise<void> {
    this.#closed ??= this.#end(reason, code);
    return this.#closed;
  }

  async #end(reason: string, code: 'session-ended' | 'shutting-down'): Promise<void> {
    clearTimeout(this.#timer);
    this.#options.ended();
    const fault = new GatewayFault(code, { publicMessage: `session ended: ${reason}` });
    for (const abort of this.#running) abort.abort(fault);
    await this.session.close(reason).catch(this.#options.failed);
  }

  /** Looks now and then whether a request has waited too long for its answer, whether it was idle for long enough, or its identity ends, whichever comes first. */
  #wait(): NodeJS.Timeout {
    const look = (): void => {
      const now = Date.now();
      const passed = performance.now();
      for (const stop of this.#running) stop.look(passed);
      if (now >= this.session.endsAtMs) void this.end('the identity of this session has expired');
      else if (this.#running.size === 0 && now - this.#idleSinceMs >= this.#options.idleMs) void this.end('idle');
      else this.#timer = setTimeout(look, Math.min(lookEveryMs, this.#options.idleMs, this.session.endsAtMs - now));
    };
    return setTimeout(look, Math.min(lookEveryMs, this.#options.idleMs, Math.max(this.session.endsAtMs - Date.now(), 0)));
  }
}

/** What is kept of a credential. */
export function hashOf(credential: string): string {
  return hash('sha256', credential, 'base64');
}

function keyOf(credentialHash: string, protocol: Protocol, target: string): string {
  return `${credentialHash} ${protocol} ${target}`;
}

function tooManyFailures(): GatewayFault {
  return new GatewayFault('rate-exceeded', {
    publicMessage: `too many failed sign-ins from this address; try again in ${failureRefillMs / 1000} s`,
  });
}

/** What one token can have in memory: each may hold a body that was gathered. */
const maxRunning = 100;
const defaultIdleMs = 60_000;
const lookEveryMs = 1_000;

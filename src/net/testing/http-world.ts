import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';
import { Pipeline } from '../../core/pipeline.ts';
import { TestPorts } from '../../core/testing/ports.ts';
import { requestProtocols } from '../../protocols/registry.ts';
import type { AskedRequest, RequestDialect, TargetAnswer, TargetRead } from '../../protocols/request.ts';
import { testEnvironment } from '../../protocols/http/testing/masks.ts';
import { nodeCrypto } from '../crypto.ts';
import { NotedApprovals } from '../http-approvals.ts';
import { exchange } from '../http-exchange.ts';
import { listenHttp, type HttpCertificate, type HttpListener } from '../http-server.ts';
import { HttpSessions } from '../http-sessions.ts';
import type { RequestTarget } from '../http-target.ts';
import { HttpUpstream } from '../http-upstream.ts';
import { SessionRegistry } from '../sessions.ts';

const closers: (() => Promise<unknown>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

/** Another protocol with a place of its own and words of its own. */
const kubernetes: RequestDialect = {
  ...requestProtocols.http,
  name: 'kubernetes',
  place: 'k8s',
  fault: (fault) => ({ status: 403, fields: [], body: new TextEncoder().encode(`Status ${fault.code}`) }),
};

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

interface WorldOptions {
  readonly idleMs?: number;
  /** Absent: clients do not encrypt, and speak HTTP/1.1. */
  readonly tls?: HttpCertificate;
}

/** A listener, a pipeline whose ports are in memory, and a target. */
export class World {
  readonly ports = new TestPorts();
  readonly sessions = new SessionRegistry();
  readonly seen: string[] = [];
  /** What must be read at the target before a request can be judged. */
  reads: readonly TargetRead[] = [];
  /** What becomes of what was asked. */
  asked: (asked: AskedRequest, read: readonly TargetAnswer[]) => AskedRequest = (asked) => asked;
  /** What the target says at `/state`. */
  state = 'calm';
  /** Lets the slow answer go. */
  release: (() => void) | undefined;
  readonly server: Server;
  listener!: HttpListener;
  upstream!: HttpUpstream;
  /** How often it was found out what a request asks for. */
  asks = 0;
  #target!: RequestTarget;

  static async open(options: WorldOptions = {}): Promise<World> {
    const world = new World();
    await world.#start(options);
    return world;
  }

  constructor() {
    this.ports.target = { name: 'crm', protocol: 'http', labels: {}, masking: 'taint', hold: 'wait' };
    this.ports.now = Date.now();
    this.ports.identityEndsAtMs = this.ports.now + 60_000;
    this.server = createServer((incoming, response) => {
      this.seen.push(`${incoming.method} ${incoming.url}`);
      response.setHeader('content-type', 'text/plain');
      if (incoming.url === '/state') response.end(this.state);
      else if (incoming.url === '/echo') incoming.pipe(response);
      else if (incoming.url === '/nothing') response.writeHead(204).end();
      else if (incoming.url === '/long') response.end('long '.repeat(40_000));
      else if (incoming.url === '/middling') response.end('middling '.repeat(2_000));
      else if (incoming.url === '/large') response.end(Buffer.alloc(5 * 1024 * 1024));
      else if (incoming.url === '/slow') this.release = () => response.end('slow');
      else response.end('upstream');
    });
  }

  async #start({ idleMs, tls }: WorldOptions): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.listen(0, '127.0.0.1', resolve);
    });
    this.upstream = new HttpUpstream({ host: '127.0.0.1', port: (this.server.address() as AddressInfo).port, tls: undefined });
    this.configure();
    const approvals = new NotedApprovals(this.ports.approvals);
    const { identity, policy, audit, recordings, clock, newSessionId, maxSessionMs, findTarget } = this.ports;
    const pipeline = new Pipeline({ identity, policy, approvals, audit, recordings, clock, newSessionId, maxSessionMs, findTarget });
    const http = new HttpSessions({ pipeline, sessions: this.sessions, report: () => {}, ...(idleMs === undefined ? {} : { idleMs }) });
    this.listener = await listenHttp({
      host: '127.0.0.1',
      port: 0,
      tls,
      maxConnections: 100,
      handle: (client) =>
        exchange(client, {
          dialects: [requestProtocols.http, kubernetes],
          target: () => this.#target,
          sessions: http,
          policy,
          audit,
          approvals,
          gatewayHost: () => 'localhost',
          apiUrl: () => 'https://localhost:8080',
          join: undefined,
          report: () => {},
        }),
      end: (reason) => http.close(reason),
      failed: () => {},
    });
    closers.push(async () => {
      await this.listener.close('the test is over');
      this.upstream.close();
      this.server.closeAllConnections();
      this.server.close();
    });
  }

  /** Anew: as after a change of the configuration. */
  configure(): void {
    this.#target = {
      dialect: requestProtocols.http,
      reads: () => this.reads,
      asksBy: () => this.asked,
      ask: (request, _session, read) => {
        this.asks += 1;
        return this.asked(requestProtocols.http.ask(request, testEnvironment(nodeCrypto, []), []), read);
      },
      upstream: this.upstream,
    };
  }

  hold(): void {
    this.ports.decision = {
      kind: 'hold',
      policies: ['p'],
      message: 'wait',
      reviews: [{ policy: 'p', group: 'dba', approvals: 1, expiresMs: 60_000, message: 'wait' }],
    };
  }

  async recorded(type: string, count: number): Promise<void> {
    await until(() => this.ports.audit.types().filter((one) => one === type).length >= count);
  }

  begin(method: string, path: string, token = 'good') {
    return this.#begin(method, `/http/crm${path}`, token);
  }

  #begin(method: string, path: string, token: string) {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const call = request({
      host: '127.0.0.1',
      port: this.listener.port,
      method,
      path,
      headers: { authorization: `Bearer ${token}`, host: 'localhost' },
    });
    call.on('response', resolve).on('error', reject).end();
    promise.catch(() => {});
    const gone = new Promise<void>((done) => {
      call.once('close', () => done());
    });
    return { call, response: promise, gone };
  }

  ask(method: string, path: string, token?: string): Promise<Answer> {
    return this.#read(this.begin(method, path, token).response);
  }

  askAt(path: string, token = 'good'): Promise<Answer> {
    return this.#read(this.#begin('GET', path, token).response);
  }

  async #read(coming: Promise<IncomingMessage>): Promise<Answer> {
    const response = await coming;
    let text = '';
    for await (const part of response) text += String(part);
    return { status: response.statusCode ?? 0, headers: response.headers, text };
  }
}

export async function turns(count = 10): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

export async function until(condition: () => boolean): Promise<void> {
  for (let index = 0; !condition(); index += 1) {
    if (index > 1_000) throw new Error('did not happen');
    await turns(1);
  }
}

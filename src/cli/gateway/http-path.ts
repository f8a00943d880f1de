import type { Socket } from 'node:net';
import type { AuditLog } from '../../audit/index.ts';
import type { Config } from '../../config/index.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { NotedApprovals } from '../../net/http-approvals.ts';
import { exchange, type ExchangeOptions } from '../../net/http-exchange.ts';
import { createHttp, type HttpCertificate, type HttpListener, type HttpServer } from '../../net/http-server.ts';
import { HttpSessions } from '../../net/http-sessions.ts';
import type { SessionRegistry } from '../../net/sessions.ts';
import { requestDialects } from '../../protocols/registry.ts';
import { maxConnections, type Door } from './doors.ts';
import type { InForce } from './in-force.ts';
import type { OperatorLog } from './log.ts';
import { RequestTargets } from './request-targets.ts';

export interface HttpPathParts {
  readonly inForce: InForce;
  readonly pipeline: Pipeline;
  readonly approvals: NotedApprovals;
  readonly audit: AuditLog;
  readonly sessions: SessionRegistry;
  readonly log: OperatorLog;
  readonly join: ExchangeOptions['join'];
}

/** Everything between a client of a request protocol and its target. */
export class HttpPath {
  readonly #parts: HttpPathParts;
  readonly #options: ExchangeOptions;
  readonly #sessions: HttpSessions;
  readonly #targets: RequestTargets;
  /** By door. */
  readonly #servers = new Map<string, HttpServer>();
  /** Of connections that came within others, by target. */
  readonly #joined = new Map<string, HttpServer>();

  constructor(parts: HttpPathParts) {
    const { pipeline, sessions, log, inForce, audit, approvals, join } = parts;
    const report: ExchangeOptions['report'] = (what, fault, session) => log.problem(what, fault, { session });
    this.#parts = parts;
    this.#sessions = new HttpSessions({ pipeline, sessions, report });
    this.#targets = new RequestTargets(inForce);
    this.#options = {
      dialects: requestDialects,
      target: (name) => this.#targets.find(name),
      sessions: this.#sessions,
      policy: inForce.policy,
      audit,
      approvals,
      join,
      gatewayHost: () => inForce.config.gateway.host,
      apiUrl: () => inForce.config.gateway.apiUrl,
      report,
    };
  }

  /** Rejects where its port cannot be bound. */
  async listen(door: Door): Promise<HttpListener> {
    const server = this.#server(door);
    return { port: await server.listen(door.address), replaceCertificate: server.replaceCertificate, close: server.close };
  }

  /** Takes a connection that was accepted elsewhere; resolves when it is over. */
  accept(door: Door, client: Socket): Promise<void> {
    return this.#server(door).accept(client);
  }

  /** Takes a connection to one HTTP target that comes within another one, which is encrypted already. */
  join(target: string, client: Socket): void {
    const server = this.#joined.get(target) ?? this.#newServer(target, undefined);
    this.#joined.set(target, server);
    void server.accept(client);
  }

  /** Ends everything that came in by `accept` and `join`. */
  async close(reason: string): Promise<void> {
    await Promise.all([...this.#servers.values(), ...this.#joined.values()].map((server) => server.close(reason)));
  }

  #server({ name, target }: Door): HttpServer {
    const known = this.#servers.get(name);
    if (known !== undefined) return known;
    const server = this.#newServer(target?.name, certificateOf(this.#parts.inForce.config));
    this.#servers.set(name, server);
    return server;
  }

  #newServer(target: string | undefined, tls: HttpCertificate | undefined): HttpServer {
    const { log } = this.#parts;
    return createHttp({
      tls,
      maxConnections,
      handle: (client) => exchange(client, this.#options, target),
      end: (reason) => this.#end(reason),
      failed: (error) => log.problem('connection not accepted', error),
    });
  }

  replaceCertificate(config: Config): void {
    const tls = certificateOf(config);
    if (tls !== undefined) for (const server of this.#servers.values()) server.replaceCertificate(tls);
  }

  async #end(reason: string): Promise<void> {
    await this.#sessions.close(reason);
    this.#targets.close();
  }
}

function certificateOf({ gateway: { tls } }: Config): HttpCertificate | undefined {
  return tls === undefined ? undefined : { cert: tls.certificate.text(), key: tls.key.text() };
}

import type { AuditLog } from '../../audit/index.ts';
import type { Config } from '../../config/index.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { NotedApprovals } from '../../net/http-approvals.ts';
import { exchange, type ExchangeOptions } from '../../net/http-exchange.ts';
import { listenHttp, type HttpCertificate, type HttpListener } from '../../net/http-server.ts';
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
}

/** Everything between a client of a request protocol and its target. */
export class HttpPath {
  readonly #parts: HttpPathParts;
  readonly #options: ExchangeOptions;
  readonly #sessions: HttpSessions;
  readonly #targets: RequestTargets;
  readonly #listeners: HttpListener[] = [];

  constructor(parts: HttpPathParts) {
    const { pipeline, sessions, log, inForce, audit, approvals } = parts;
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
      gatewayHost: () => inForce.config.gateway.host,
      apiUrl: () => inForce.config.gateway.apiUrl,
      report,
    };
  }

  /** Rejects where its port cannot be bound. */
  async listen({ address, target }: Door): Promise<HttpListener> {
    const { inForce, log } = this.#parts;
    const listener = await listenHttp({
      ...address,
      tls: certificateOf(inForce.config),
      maxConnections,
      handle: (client) => exchange(client, this.#options, target?.name),
      end: (reason) => this.#end(reason),
      failed: (error) => log.problem('connection not accepted', error),
    });
    this.#listeners.push(listener);
    return listener;
  }

  replaceCertificate(config: Config): void {
    const tls = certificateOf(config);
    if (tls !== undefined) for (const listener of this.#listeners) listener.replaceCertificate(tls);
  }

  async #end(reason: string): Promise<void> {
    await this.#sessions.close(reason);
    this.#targets.close();
  }
}

function certificateOf({ gateway: { tls } }: Config): HttpCertificate | undefined {
  return tls === undefined ? undefined : { cert: tls.certificate.text(), key: tls.key.text() };
}

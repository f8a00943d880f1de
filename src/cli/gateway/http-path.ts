import type { AuditLog } from '../../audit/index.ts';
import type { Config, HttpTargetConfig } from '../../config/index.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { HttpSessions } from '../../net/http-sessions.ts';
import { exchange, type ExchangeOptions } from '../../net/http-exchange.ts';
import type { NotedApprovals } from '../../net/http-approvals.ts';
import { listenHttp, type HttpCertificate, type HttpListener } from '../../net/http-server.ts';
import { HttpUpstream } from '../../net/http-upstream.ts';
import type { SessionRegistry } from '../../net/sessions.ts';
import type { HttpTarget } from '../../protocols/http/index.ts';
import { requestProtocols } from '../../protocols/registry.ts';
import type { HeaderField } from '../../protocols/request.ts';
import { maxConnections } from './doors.ts';
import type { InForce } from './in-force.ts';
import type { OperatorLog } from './log.ts';

export interface HttpPathParts {
  readonly inForce: InForce;
  readonly pipeline: Pipeline;
  readonly approvals: NotedApprovals;
  readonly audit: AuditLog;
  readonly sessions: SessionRegistry;
  readonly log: OperatorLog;
}

/** Everything between an HTTP client and its target. */
export class HttpPath {
  readonly #parts: HttpPathParts;
  readonly #sessions: HttpSessions;
  readonly #upstreams = new Map<
    string,
    { readonly of: HttpTargetConfig; readonly target: HttpTarget; readonly place: string; readonly upstream: HttpUpstream }
  >();
  #listener: HttpListener | undefined;

  constructor(parts: HttpPathParts) {
    this.#parts = parts;
    const { pipeline, sessions, log } = parts;
    this.#sessions = new HttpSessions({ pipeline, sessions, report: (what, fault, session) => log.problem(what, fault, { session }) });
  }

  /** Undefined where the configuration has no such listener. Rejects where its port cannot be bound. */
  async listen(): Promise<HttpListener | undefined> {
    const { inForce, log } = this.#parts;
    const address = inForce.config.listeners.https;
    if (address === undefined) return undefined;
    const options = this.#exchangeOptions();
    this.#listener = await listenHttp({
      ...address,
      tls: certificateOf(inForce.config),
      maxConnections,
      handle: (client) => exchange(client, options),
      end: (reason) => this.#end(reason),
      failed: (error) => log.problem('connection not accepted', error),
    });
    return this.#listener;
  }

  replaceCertificate(config: Config): void {
    const tls = certificateOf(config);
    if (tls !== undefined) this.#listener?.replaceCertificate(tls);
  }

  #exchangeOptions(): ExchangeOptions {
    const { inForce, audit, approvals, log } = this.#parts;
    return {
      protocol: requestProtocols.http,
      sessions: this.#sessions,
      policy: inForce.policy,
      audit,
      approvals,
      gatewayHost: () => inForce.config.gateway.host,
      apiUrl: () => inForce.config.gateway.apiUrl,
      environment: ({ principal, target }) => {
        const { classes } = inForce.targets;
        const revealed = inForce.policy.reveals(principal, target, classes.names);
        return { target: this.#upstream(target.name).target, classes, revealed };
      },
      upstream: (name) => this.#upstream(name).upstream,
      report: (what, fault, session) => log.problem(what, fault, { session }),
    };
  }

  /**
   * A reload makes every target anew. Its connections are kept where they lead to the same place; else they end when nothing runs on them any more,
   * and none of them is used again.
   */
  #upstream(name: string): { readonly target: HttpTarget; readonly upstream: HttpUpstream } {
    const { targets } = this.#parts.inForce;
    const of = targets.http(name);
    const known = this.#upstreams.get(name);
    if (known?.of === of) return known;
    const address = targets.httpAddress(name);
    const place = JSON.stringify(address);
    const made = { of, target: httpTarget(of), place, upstream: known?.place === place ? known.upstream : new HttpUpstream(address) };
    this.#upstreams.set(name, made);
    return made;
  }

  async #end(reason: string): Promise<void> {
    await this.#sessions.close(reason);
    for (const { upstream } of this.#upstreams.values()) upstream.close();
  }
}

function httpTarget({ name, masking, readOnly, cookies, unmaskedMediaTypes, upstream }: HttpTargetConfig): HttpTarget {
  return { name, masking, readOnly, cookies, unmaskedMediaTypes, basePath: upstream.basePath, credential: credentialOf(upstream) };
}

function credentialOf({ credential }: HttpTargetConfig['upstream']): HeaderField | undefined {
  switch (credential?.kind) {
    case undefined:
      return undefined;
    case 'bearer':
      return { name: 'authorization', value: `Bearer ${credential.token.text()}` };
    case 'basic': {
      const pair = Buffer.from(`${credential.user}:${credential.password.text()}`, 'utf8').toString('base64');
      return { name: 'authorization', value: `Basic ${pair}` };
    }
    case 'header':
      return { name: credential.name.toLowerCase(), value: credential.value.text() };
    default:
      return credential satisfies never;
  }
}

function certificateOf({ gateway: { tls } }: Config): HttpCertificate | undefined {
  return tls === undefined ? undefined : { cert: tls.certificate.text(), key: tls.key.text() };
}

import type { RequestTargetConfig } from '../../config/index.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { RequestTarget } from '../../net/http-target.ts';
import { HttpUpstream } from '../../net/http-upstream.ts';
import type { Upstream } from '../../net/http-upstream-answer.ts';
import { Http2Upstream } from '../../net/http2-upstream.ts';
import { grpcTarget } from './grpc-target.ts';
import { httpTarget } from './http-target.ts';
import type { InForce } from './in-force.ts';
import { kubernetesTarget } from './kubernetes-target.ts';

/** The targets of request protocols, with their connections. */
export class RequestTargets {
  readonly #inForce: InForce;
  readonly #made = new Map<string, { readonly of: RequestTargetConfig; readonly place: string; readonly target: RequestTarget }>();

  constructor(inForce: InForce) {
    this.#inForce = inForce;
  }

  /**
   * As it is configured now. A reload makes every target anew. Its connections are kept where they lead to the same place; else they end when nothing runs on
   * them any more, and none of them is used again.
   */
  find(name: string): RequestTarget | undefined {
    const { targets } = this.#inForce;
    const of = targets.request(name);
    if (of === undefined) return undefined;
    const known = this.#made.get(name);
    if (known?.of === of) return known.target;
    const address = targets.requestAddress(of);
    const place = JSON.stringify([of.protocol, address]);
    const upstream =
      known?.place === place ? known.target.upstream : of.protocol === 'grpc' ? new Http2Upstream(address) : new HttpUpstream(address);
    const target = requestTarget(of, this.#inForce, upstream);
    this.#made.set(name, { of, place, target });
    return target;
  }

  close(): void {
    for (const { target } of this.#made.values()) target.upstream.close();
  }
}

/** One line for each protocol that is served. */
function requestTarget(config: RequestTargetConfig, inForce: InForce, upstream: Upstream): RequestTarget {
  switch (config.protocol) {
    case 'http':
      return httpTarget(config, inForce, upstream);
    case 'grpc':
      return grpcTarget(config, inForce, upstream);
    case 'kubernetes':
      return kubernetesTarget(config, inForce, upstream);
    case 'cosmos':
      // No configuration that was accepted has one (`config/targets.ts`).
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: `${config.protocol} is not served` });
    default:
      return config satisfies never;
  }
}

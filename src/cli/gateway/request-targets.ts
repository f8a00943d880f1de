import type { HttpVersion, RequestTargetConfig } from '../../config/index.ts';
import { upstreamCredential, type ClientIdentity, type UpstreamCredential } from '../../identity/upstream/index.ts';
import { ApiOverHttp2 } from '../../net/http-over-http2.ts';
import { withCredential } from '../../net/http-credential.ts';
import type { RequestTarget } from '../../net/http-target.ts';
import { hostOf, HttpUpstream } from '../../net/http-upstream.ts';
import type { Upstream } from '../../net/http-upstream-answer.ts';
import { Http2Upstream } from '../../net/http2-upstream.ts';
import type { UpstreamAddress } from '../../net/upstream.ts';
import { cosmosCredential, cosmosTarget } from './cosmos-target.ts';
import { grpcTarget } from './grpc-target.ts';
import { httpTarget } from './http-target.ts';
import type { InForce } from './in-force.ts';
import { clock } from './own-log.ts';
import { kubernetesTarget } from './kubernetes-target.ts';

/** The targets of request protocols, with their connections. */
export class RequestTargets {
  readonly #inForce: InForce;
  readonly #made = new Map<string, MadeTarget>();

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
    const place = JSON.stringify([spokenTo(of), address]);
    const connections = known?.place === place ? known.connections : connectionsTo(of, address);
    const credential = credentialOf(of, address);
    const connectAs = (identity: ClientIdentity): Upstream => connectionsTo(of, { ...address, tls: { ...address.tls!, ...identity } });
    const upstream = credential === undefined ? connections : withCredential(connections, address, credential, connectAs);
    const target = requestTarget(of, this.#inForce, { upstream, credential });
    this.#made.set(name, { of, place, connections, target });
    return target;
  }

  close(): void {
    for (const { target } of this.#made.values()) target.upstream.close();
  }
}

interface MadeTarget {
  readonly of: RequestTargetConfig;
  readonly place: string;
  readonly connections: Upstream;
  readonly target: RequestTarget;
}

/** The way to a target, and the gateway's own credential there, which is on every request that goes it. */
export interface WayToTarget {
  readonly upstream: Upstream;
  readonly credential: UpstreamCredential | undefined;
}

function credentialOf(of: RequestTargetConfig, address: UpstreamAddress): UpstreamCredential | undefined {
  const { credential: own, basePath } = of.upstream;
  const { tls } = address;
  const upstream = {
    server: `${tls === undefined ? 'http' : 'https'}://${hostOf(address)}${basePath}`,
    ca: tls?.ca,
    verifies: tls?.verifyChain ?? true,
    takesCertificate: tls !== undefined && tls.certificate === undefined,
  };
  const made = own === undefined ? undefined : upstreamCredential(own, { clock, env: process.env, fetch, upstream });
  return of.protocol === 'cosmos' ? cosmosCredential(of.upstream, made, clock) : made;
}

function connectionsTo(of: RequestTargetConfig, address: UpstreamAddress): Upstream {
  switch (spokenTo(of)) {
    case 'grpc':
      return new Http2Upstream(address);
    case 2:
      return new ApiOverHttp2(address);
    default:
      return new HttpUpstream(address);
  }
}

function spokenTo(of: RequestTargetConfig): 'grpc' | HttpVersion {
  if (of.protocol === 'grpc') return 'grpc';
  return of.protocol === 'http' ? of.upstream.httpVersion : 1.1;
}

/** One line for each protocol that is served. */
function requestTarget(config: RequestTargetConfig, inForce: InForce, way: WayToTarget): RequestTarget {
  switch (config.protocol) {
    case 'http':
      return httpTarget(config, inForce, way);
    case 'grpc':
      return grpcTarget(config, inForce, way);
    case 'kubernetes':
      return kubernetesTarget(config, inForce, way);
    case 'cosmos':
      return cosmosTarget(config, inForce, way);
    default:
      return config satisfies never;
  }
}

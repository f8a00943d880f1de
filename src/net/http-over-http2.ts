import type { Grant } from '../core/grant.ts';
import type { UpgradeName } from '../protocols/tunnel.ts';
import { HttpUpstream, type Forwarded } from './http-upstream.ts';
import type { Upstream, UpstreamAnswer } from './http-upstream-answer.ts';
import { Http2Upstream } from './http2-upstream.ts';
import type { SwitchedProtocols } from './http1-connection.ts';
import type { StopSignal } from './stop.ts';
import type { UpstreamAddress } from './upstream.ts';

/**
 * The connections to an HTTP API that is spoken to in HTTP/2. Only a WebSocket is asked for in HTTP/1.1, on a connection of its own: few servers take it in HTTP/2 (RFC 8441), and those that
 * do take it here, too.
 */
export class ApiOverHttp2 implements Upstream {
  readonly #requests: Http2Upstream;
  readonly #upgrades: HttpUpstream;

  constructor(address: UpstreamAddress) {
    this.#requests = new Http2Upstream(address);
    this.#upgrades = new HttpUpstream(address);
  }

  send(forwarded: Forwarded, grant: Grant, sessionId: string, signal: StopSignal): Promise<UpstreamAnswer> {
    return this.#requests.send(withLength(forwarded), grant, sessionId, signal);
  }

  upgrade(
    forwarded: Forwarded,
    protocol: UpgradeName,
    grant: Grant,
    sessionId: string,
    signal: StopSignal,
  ): Promise<SwitchedProtocols | UpstreamAnswer> {
    return this.#upgrades.upgrade(forwarded, protocol, grant, sessionId, signal);
  }

  close(): void {
    this.#requests.close();
    this.#upgrades.close();
  }
}

/** The end of a body is in its frames; many servers want to know before it comes how long it is, all the same. */
function withLength(forwarded: Forwarded): Forwarded {
  const { body, fields } = forwarded;
  const octets = body.kind === 'whole' ? body.bytes.length : body.kind === 'streamed' ? body.octets : undefined;
  return octets === undefined ? forwarded : { ...forwarded, fields: [...fields, { name: 'content-length', value: String(octets) }] };
}

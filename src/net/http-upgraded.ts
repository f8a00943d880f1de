import { GatewayFault } from '../core/fault.ts';
import type { GrantedRequest } from './http-forwarding.ts';
import { runTunnel } from './http-tunnel.ts';
import type { UnderWay } from './http-under-way.ts';
import { switchingFields, switchProtocols } from './http-upgrade.ts';
import type { Forwarded } from './http-upstream.ts';
import type { Upstream, UpstreamAnswer } from './http-upstream-answer.ts';
import type { SwitchedProtocols } from './http1-connection.ts';
import type { UpgradeName } from '../protocols/tunnel.ts';

/** Whether a granted request asks to go on in another protocol, which its target speaks. */
export function isUpgrade({ request, asked }: GrantedRequest, upstream: Upstream): boolean {
  return request.upgrade !== undefined && asked.tunnel !== undefined && upstream.upgrade !== undefined;
}

/**
 * Asks the target to switch protocols. Where it does, the client does too, and both streams run until the tunnel is over; then, resolves with undefined. Where it does
 * not, resolves with its answer. `switched`: called when it has. Throws the fault that keeps the client from being switched.
 */
export async function serveUpgrade(
  underWay: UnderWay,
  granted: GrantedRequest,
  upstream: Upstream,
  forwarded: Forwarded,
  switched: () => void,
): Promise<UpstreamAnswer | undefined> {
  const { session, abort } = underWay;
  const answer = await switchProtocols(granted.asked.tunnel!, forwarded, (request, protocol) =>
    upstream.upgrade!(request, protocol, granted.grant, session.id, abort.signal),
  );
  if (!('unread' in answer.switched)) return answer.switched;
  switched();
  try {
    await runSwitched(underWay, granted, answer.switched, answer.spoken);
  } catch (error) {
    answer.switched.socket.destroy();
    throw error;
  }
  return undefined;
}

async function runSwitched(
  underWay: UnderWay,
  { asked, grant, operation, request }: GrantedRequest,
  { fields, socket, unread }: SwitchedProtocols,
  spoken: UpgradeName,
): Promise<void> {
  const { client, session, abort, options } = underWay;
  const { audit, join } = options;
  const tunnel = asked.tunnel!;
  if (audit.durableCount <= grant.sequence) await audit.durable(grant.sequence);
  abort.signal.throwIfAborted();
  const opened = tunnel.open({ status: 101, fields }, grant, spoken);
  if (opened instanceof GatewayFault) throw opened;
  const { bytes, fault } = await runTunnel({
    client: client.switchProtocols([...switchingFields(client.head.rawHeaders, request.upgrade!), ...opened.fields]),
    upstream: { socket, unread },
    tunnel: opened.session,
    isApart: opened.isApart,
    session,
    audit,
    idleMs: tunnel.idleMs,
    signal: abort.signal,
    join: join === undefined ? undefined : (name) => join(name, client.peer),
    unrecorded: (error) => underWay.endUnrecorded(error),
  });
  // What the tunnel itself did not put on record.
  session.complete({ operationId: operation.id, outcome: 'unknown', reason: fault?.publicMessage, rows: 0, bytes, masked: {} });
  if (fault?.code === 'internal') options.report('tunnel failed', fault, session.id);
}

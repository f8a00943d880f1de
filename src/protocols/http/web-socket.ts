import { GatewayFault } from '../../core/fault.ts';
import type { Grant } from '../../core/grant.ts';
import type { HeaderField, ReceivedRequest } from '../request.ts';
import type { AskedTunnel } from '../tunnel.ts';
import type { AskEnvironment } from './environment.ts';
import { listOf } from './head-fields.ts';
import type { HttpMasks } from './masks.ts';
import { WebSocketSession } from './web-socket-session.ts';

/** A WebSocket of an HTTP target: opened once its operation was granted, both sides' messages through `WebSocketSession`. */
export function webSocketTunnel(request: ReceivedRequest, environment: AskEnvironment, masks: HttpMasks, record: HttpMasks): AskedTunnel {
  return {
    upgrade: 'websocket',
    idleMs,
    open(head, grant: Grant) {
      const agreed = agreedProtocol(request.forwardable, head.fields);
      if (agreed instanceof GatewayFault) return agreed;
      const binaryPasses = !masks.hides || environment.target.unmaskedMediaTypes.includes(binaryType);
      const { randomBytes } = environment;
      return { fields: agreed, session: new WebSocketSession({ grant, masks, record, binaryPasses, randomBytes }), isApart: false };
    },
  };
}

/** The sub-protocol that the target chose, which must be one of those that the client offered (RFC 6455 section 4.1). */
function agreedProtocol(offered: readonly HeaderField[], chosen: readonly HeaderField[]): readonly HeaderField[] | GatewayFault {
  const [first, ...more] = chosen.filter(({ name }) => name === fieldName);
  if (first === undefined) return [];
  if (more.length === 0 && listOf(offered, fieldName).includes(first.value.trim().toLowerCase())) return [first];
  return new GatewayFault('upstream-unavailable', { publicMessage: 'the target chose a sub-protocol that was not offered' });
}

const fieldName = 'sec-websocket-protocol';
/** Binary messages have no media type; this stands for theirs in `unsafe_unmasked_media_types`. */
const binaryType = 'application/octet-stream';
const idleMs = 10 * 60_000;

import { GatewayFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import type { ObjectRef } from '../../../core/operation.ts';
import type { AskingSession, HeaderField, ReceivedRequest } from '../../request.ts';
import type { Inflate } from '../../spdy/index.ts';
import type { AskedTunnel, OpenedTunnel, TunnelSession, UpgradeName } from '../../tunnel.ts';
import { isCopy } from '../acts.ts';
import { execOptions } from '../exec-options.ts';
import type { KubernetesMasks } from '../masks.ts';
import type { ResourceRequest } from '../request-info.ts';
import { PlainBytes, TunnelledBytes, type ByteForm } from './byte-form.ts';
import { ChannelForwardClient } from './channel-forward-client.ts';
import type { StreamEnd } from './channels.ts';
import type { StreamContext } from './context.ts';
import { ExecSession } from './exec-session.ts';
import type { ForwardPlace } from './forward-operation.ts';
import { ForwardSession } from './forward-session.ts';
import { forwardedPorts } from './forwarded-ports.ts';
import { SpdyEnd } from './spdy-end.ts';
import { SpdyForwardClient } from './spdy-forward-client.ts';
import {
  agreedForwarding,
  chosen,
  chosenFields,
  forwarding,
  hasForwardingChannels,
  isOffer,
  offeredVersions,
  offerFields,
  tellsStatus,
  tunnelledForwarding,
  type Agreed,
  type Offered,
} from './versions.ts';
import { WebSocketEnd } from './websocket-end.ts';
import type { MaskKey } from './websocket-messages.ts';

/** What the streams of a session need to know besides the request. */
export interface StreamSettings {
  readonly session: AskingSession;
  readonly inflate: Inflate;
  readonly maskKey: MaskKey;
  /** Port → the target whose session forwarded connections to it go through. */
  readonly forwards: ReadonlyMap<number, string>;
}

export interface AskedStream {
  readonly tunnel: AskedTunnel;
  /** What goes to the target. */
  readonly fields: readonly HeaderField[];
}

/**
 * Exec, attach or port-forward of a pod, asked with an upgrade. For exec and attach the target is offered what the client has offered. Where it does not take a WebSocket, it
 * is asked once more for SPDY: so its client need not fall back, which would be another request, to be decided and approved anew. `passed`: the fields that go to the target
 * besides.
 */
export function askedStream(
  info: ResourceRequest,
  object: ObjectRef,
  request: ReceivedRequest,
  passed: readonly HeaderField[],
  masks: { readonly shown: KubernetesMasks; readonly record: KubernetesMasks },
  settings: StreamSettings,
): AskedStream | GatewayFault {
  const context: StreamContext = {
    classes: masks.shown.classes,
    detectors: masks.shown.text.detectors,
    recordDetectors: masks.record.text.detectors,
    inflate: settings.inflate,
    maskKey: settings.maskKey,
  };
  const plan =
    info.subresource === 'portforward'
      ? forwardPlan(request, { namespace: info.namespace, pod: info.name, object }, settings, context)
      : execPlan(request, context);
  if (plan instanceof GatewayFault) return plan;
  const { offer, otherwise } = plan;
  const fieldsWith = (one: Offered): readonly HeaderField[] => [...passed.filter(({ name }) => !isOffer(name)), ...offerFields(one)];
  return {
    fields: fieldsWith(offer),
    tunnel: {
      upgrade: offer.upgrade,
      idleMs,
      otherwise: otherwise === undefined ? undefined : { upgrade: otherwise.upgrade, method: 'POST', fields: fieldsWith(otherwise) },
      open(head, grant, upgrade): OpenedTunnel | GatewayFault {
        const target = chosen(head, otherwise !== undefined && upgrade !== offer.upgrade ? otherwise : offer);
        if (target instanceof GatewayFault) return target;
        const client = plan.client(target);
        // Python's kubernetes is such a client: of exec until 2026 (kubernetes-client/python #2646), of ports in what distributions have.
        const isApart = client.upgrade === 'websocket' && client.version.includes('channel');
        return { fields: chosenFields(client), session: plan.session(client, target, grant), isApart };
      },
    },
  };
}

interface StreamPlan {
  /** What the target is asked for, and where it does not take that. */
  readonly offer: Offered;
  readonly otherwise: Offered | undefined;
  /** What the client speaks, when this is what the target does. */
  client(target: Agreed): Agreed;
  session(client: Agreed, target: Agreed, grant: Grant): TunnelSession;
}

function execPlan(request: ReceivedRequest, context: StreamContext): StreamPlan | GatewayFault {
  const offer = offeredVersions(request);
  if (offer instanceof GatewayFault) return offer;
  const first: Agreed = { upgrade: offer.upgrade, version: offer.versions[0]! };
  const options = execOptions(request.target.parameters);
  return {
    offer,
    // Not where a client could not be told how a command ended.
    otherwise: first.upgrade === 'websocket' && tellsStatus(first) ? { upgrade: 'spdy/3.1', versions: ['v4.channel.k8s.io'] } : undefined,
    client: (target) => (target.upgrade === offer.upgrade ? target : first),
    session: (client, target, grant) =>
      new ExecSession({
        grant,
        operationId: grant.operationId,
        context,
        options,
        isCopy: isCopy(options.argv),
        client: streamEnd(client, 'server', context),
        upstream: streamEnd(target, 'client', context),
        opensAll: client.upgrade === 'websocket',
        tellsStatus: { client: tellsStatus(client), upstream: tellsStatus(target) },
      }),
  };
}

/** The target is asked for SPDY, also in a WebSocket where the client's is one: why, `ForwardSession` says. */
function forwardPlan(
  request: ReceivedRequest,
  place: ForwardPlace,
  { session, forwards, maskKey }: StreamSettings,
  context: StreamContext,
): StreamPlan | GatewayFault {
  const client = agreedForwarding(request);
  if (client instanceof GatewayFault) return client;
  const ports = hasForwardingChannels(client) ? forwardedPorts(request.target.parameters) : undefined;
  if (ports instanceof GatewayFault) return ports;
  const isWebSocket = client.upgrade === 'websocket';
  return {
    offer: offerOf(isWebSocket ? tunnelledForwarding : forwarding),
    otherwise: isWebSocket ? offerOf(forwarding) : undefined,
    client: () => client,
    session: (_, target, grant) =>
      new ForwardSession({
        grant,
        operationId: grant.operationId,
        context,
        place,
        session,
        forwards,
        client:
          ports === undefined
            ? new SpdyForwardClient(byteForm(client.upgrade, undefined), context.inflate)
            : new ChannelForwardClient(client.version, ports),
        upstream: byteForm(target.upgrade, maskKey),
      }),
  };
}

function offerOf({ upgrade, version }: Agreed): Offered {
  return { upgrade, versions: [version] };
}

/** `role`: the gateway's own. */
function streamEnd({ upgrade, version }: Agreed, role: 'client' | 'server', { inflate, maskKey }: StreamContext): StreamEnd {
  return upgrade === 'websocket' ? new WebSocketEnd(version, role === 'client' ? maskKey : undefined) : new SpdyEnd(role, inflate);
}

function byteForm(upgrade: UpgradeName, maskKey: MaskKey | undefined): ByteForm {
  return upgrade === 'websocket' ? new TunnelledBytes(maskKey) : new PlainBytes();
}

/** As long as a kubelet keeps a stream on which nothing happens (`--streaming-connection-idle-timeout`). */
const idleMs = 4 * 60 * 60_000;

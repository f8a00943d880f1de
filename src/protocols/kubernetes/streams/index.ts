import { GatewayFault } from '../../../core/fault.ts';
import type { ObjectRef } from '../../../core/operation.ts';
import type { AskingSession, HeaderField, ReceivedRequest } from '../../request.ts';
import type { Inflate } from '../../spdy/index.ts';
import type { AskedTunnel, OpenedTunnel, UpgradeName } from '../../tunnel.ts';
import { isCopy } from '../acts.ts';
import { execOptions } from '../exec-options.ts';
import type { KubernetesMasks } from '../masks.ts';
import type { ResourceRequest } from '../request-info.ts';
import { PlainBytes, TunnelledBytes, type ByteForm } from './byte-form.ts';
import type { StreamEnd } from './channels.ts';
import type { StreamContext } from './context.ts';
import { ExecSession } from './exec-session.ts';
import { ForwardSession } from './forward-session.ts';
import { SpdyEnd } from './spdy-end.ts';
import {
  chosen,
  chosenFields,
  isOffer,
  offeredForwarding,
  offeredVersions,
  offerFields,
  tellsStatus,
  type Agreed,
  type Offered,
} from './versions.ts';
import { WebSocketEnd, type MaskKey } from './websocket-end.ts';

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
 * Exec, attach or port-forward of a pod, asked with an upgrade. The target is offered what the client has offered. Where it does not take a WebSocket, it is asked once more for
 * SPDY: so its client need not fall back, which would be another request, to be decided and approved anew. `passed`: the fields that go to the target besides.
 */
export function askedStream(
  info: ResourceRequest,
  object: ObjectRef,
  request: ReceivedRequest,
  passed: readonly HeaderField[],
  masks: { readonly shown: KubernetesMasks; readonly record: KubernetesMasks },
  settings: StreamSettings,
): AskedStream | GatewayFault {
  const isForward = info.subresource === 'portforward';
  const offer = isForward ? offeredForwarding(request) : offeredVersions(request);
  if (offer instanceof GatewayFault) return offer;
  const otherwise = spdyInstead(offer, isForward);
  const context: StreamContext = {
    classes: masks.shown.classes,
    detectors: masks.shown.text.detectors,
    recordDetectors: masks.record.text.detectors,
    inflate: settings.inflate,
    maskKey: settings.maskKey,
  };
  const fieldsWith = (one: Offered): readonly HeaderField[] => [...passed.filter(({ name }) => !isOffer(name)), ...offerFields(one)];
  return {
    fields: fieldsWith(offer),
    tunnel: {
      upgrade: offer.upgrade,
      idleMs,
      otherwise: otherwise === undefined ? undefined : { upgrade: otherwise.upgrade, method: 'POST', fields: fieldsWith(otherwise) },
      open(head, grant, upgrade): OpenedTunnel | GatewayFault {
        const isOther = otherwise !== undefined && upgrade !== offer.upgrade;
        const target = chosen(head, isOther ? otherwise : offer);
        if (target instanceof GatewayFault) return target;
        const client: Agreed = isOther ? { upgrade: offer.upgrade, version: offer.versions[0]! } : target;
        const common = { grant, operationId: grant.operationId, context };
        if (isForward) {
          const place = { namespace: info.namespace, pod: info.name, object };
          const { session, forwards } = settings;
          const forms = { client: byteForm(client.upgrade, undefined), upstream: byteForm(target.upgrade, settings.maskKey) };
          return {
            fields: chosenFields(client),
            session: new ForwardSession({ ...common, ...forms, place, session, forwards }),
            isApart: false,
          };
        }
        const options = execOptions(request.target.parameters);
        const session = new ExecSession({
          ...common,
          options,
          isCopy: isCopy(options.argv),
          client: streamEnd(client, 'server', context),
          upstream: streamEnd(target, 'client', context),
          opensAll: client.upgrade === 'websocket',
          tellsStatus: { client: tellsStatus(client), upstream: tellsStatus(target) },
        });
        // Python's kubernetes is such a client (kubernetes-client/python #2646).
        return { fields: chosenFields(client), session, isApart: client.upgrade === 'websocket' };
      },
    },
  };
}

/** Undefined where a client could not be told how a command ended. */
function spdyInstead({ upgrade, versions }: Offered, isForward: boolean): Offered | undefined {
  if (upgrade !== 'websocket') return undefined;
  if (isForward) return { upgrade: 'spdy/3.1', versions: ['portforward.k8s.io'] };
  return tellsStatus({ upgrade, version: versions[0]! }) ? { upgrade: 'spdy/3.1', versions: ['v4.channel.k8s.io'] } : undefined;
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

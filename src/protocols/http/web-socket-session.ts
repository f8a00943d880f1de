import type { Side } from '../../core/effect.ts';
import { assertNever, GatewayFault } from '../../core/fault.ts';
import type { Grant } from '../../core/grant.ts';
import type { Completion } from '../../core/operation.ts';
import { isJson } from '../../masking/json-bytes.ts';
import type { TunnelEffect, TunnelEvent, TunnelSession } from '../tunnel.ts';
import { closePayload, type Close } from '../websocket/close.ts';
import { encodeFrame, opcodes, type Opcode } from '../websocket/frame.ts';
import { MessageReader, type Message } from '../websocket/messages.ts';
import { maskedPiece, maskedText, type MaskedCounts } from './mask-text.ts';
import { maxMaskedBytes, textOf } from './mask.ts';
import type { HttpMasks } from './masks.ts';
import { sampleOf } from './sample.ts';

export interface WebSocketOptions {
  /** Of the operation that opened it. */
  readonly grant: Grant;
  /** For its principal. */
  readonly masks: HttpMasks;
  /** For the recording. */
  readonly record: HttpMasks;
  /** Binary messages of the target are shown. */
  readonly binaryPasses: boolean;
  readonly randomBytes: (length: number) => Uint8Array;
}

/**
 * A WebSocket between a client and an HTTP target (RFC 6455), of which the gateway is an end on both sides. Messages go on whole: those of the client as they are, those of the
 * target with what is hidden from the principal masked. A ping is answered at once and another goes on to the other side, so that nothing hides in one and no
 * connection is taken for dead. A close is answered at once, passed on, and waited for from the other side.
 *
 * | message of the target | shown where anything is hidden |
 * |---|---|
 * | JSON | masked by the places of this path and by the detectors |
 * | other text | masked by the detectors; as nothing but its class where places of this path are hidden; not at all with `masking: strict` |
 * | binary | not at all, unless the target lets `application/octet-stream` pass |
 *
 * What is not shown ends the connection with 1008, as does the gateway's own end of a session (1001 where it stops).
 */
export class WebSocketSession implements TunnelSession {
  readonly #options: WebSocketOptions;
  readonly #readers: Readonly<Record<Side, MessageReader>>;
  /** Sides that were sent a close. */
  readonly #told = new Set<Side>();
  /** Sides that sent one. */
  readonly #heard = new Set<Side>();
  readonly #masked: MaskedCounts = new Map();
  /** Why it is over, once that is known. */
  #end: Pick<Completion, 'outcome' | 'errorCode' | 'reason'> | undefined;
  #isOver = false;
  #bytes = 0;
  #messages = 0;

  constructor(options: WebSocketOptions) {
    const { hides } = options.masks;
    this.#options = options;
    this.#readers = {
      client: new MessageReader({ fromClient: true, maxMessageBytes }),
      upstream: new MessageReader({ fromClient: false, maxMessageBytes: hides ? maxMaskedBytes : maxMessageBytes }),
    };
  }

  receive(side: Side, bytes: Uint8Array): readonly TunnelEffect[] {
    return this.#readers[side].push(bytes).flatMap((message) => (this.#isOver ? [] : this.#take(side, message)));
  }

  /** Nothing but the opening is asked about. */
  decide(): readonly TunnelEffect[] {
    return [];
  }

  notify(event: TunnelEvent): readonly TunnelEffect[] {
    if (this.#isOver) return [];
    switch (event.kind) {
      case 'deadline':
        return this.#over();
      case 'closed':
        return this.#gone(event.side, event.fault);
      case 'end':
        return this.#stop(event.fault, event.fault.code === 'shutting-down' ? 1001 : 1008);
      case 'opened':
      case 'held':
      case 'diverted':
      case 'divert-ended':
        return [];
      default:
        return assertNever(event, 'event of a tunnel');
    }
  }

  #take(side: Side, message: Message): readonly TunnelEffect[] {
    const other = otherOf(side);
    switch (message.kind) {
      case 'text':
      case 'binary':
        if (this.#told.has(other)) return [];
        return side === 'client' ? this.#fromClient(message.kind, message.bytes) : this.#fromTarget(message.kind, message.bytes);
      case 'ping':
        return [
          ...this.#send(side, opcodes.pong, message.bytes),
          ...(this.#told.has(other) ? [] : this.#send(other, opcodes.ping, new Uint8Array(0))),
        ];
      case 'pong':
        return [];
      case 'close':
        return this.#closedBy(side, message);
      case 'violation': {
        this.#end ??= { outcome: 'failed', errorCode: String(message.closeCode), reason: `${nameOf(side)}: ${message.reason}` };
        return [
          ...this.#tell(side, { code: message.closeCode, reason: message.reason }),
          ...this.#tell(other, { code: side === 'client' ? 1001 : 1014, reason: 'the other side broke the protocol' }),
          ...this.#over(),
        ];
      }
      default:
        return assertNever(message, 'message of a WebSocket');
    }
  }

  #fromClient(kind: 'text' | 'binary', bytes: Uint8Array): readonly TunnelEffect[] {
    return [...this.#sample('client', kind, bytes), ...this.#send('upstream', opcodes[kind], bytes)];
  }

  #fromTarget(kind: 'text' | 'binary', bytes: Uint8Array): readonly TunnelEffect[] {
    const shown = kind === 'text' ? this.#shownText(bytes) : this.#shownBinary(bytes);
    if (shown instanceof GatewayFault) return this.#stop(shown, 1008);
    this.#bytes += shown.length;
    return [...this.#sample('upstream', kind, bytes), ...this.#send('client', opcodes[kind], shown)];
  }

  #shownText(bytes: Uint8Array): Uint8Array | GatewayFault {
    const { masks } = this.#options;
    if (!masks.hides) return bytes;
    const text = textOf(bytes);
    if (text === undefined) return notShown('a text with characters that no text has');
    if (masks.isStrict && !isJson(text)) return notShown('the target shows JSON only, and this is other text');
    const shown = maskedPiece(masks, text, this.#masked);
    return shown === text ? bytes : encoder.encode(shown);
  }

  #shownBinary(bytes: Uint8Array): Uint8Array | GatewayFault {
    if (this.#options.binaryPasses || bytes.length === 0) return bytes;
    return notShown('nobody can look for hidden values in a binary message');
  }

  // ---- its end

  #closedBy(side: Side, { code, reason }: Close): readonly TunnelEffect[] {
    const other = otherOf(side);
    this.#heard.add(side);
    this.#end ??= code === undefined || normal.has(code) ? { outcome: 'succeeded' } : { outcome: 'failed', errorCode: String(code) };
    const shown = side === 'client' ? reason : maskedText(this.#options.masks, reason, this.#masked);
    const effects = [...this.#tell(side, { code, reason: '' }), ...this.#tell(other, { code, reason: shown })];
    if (this.#heard.has(other)) return [...effects, ...this.#over()];
    return [...effects, { kind: 'deadline', afterMs: closeTimeoutMs }];
  }

  /** A connection that ends without a close. */
  #gone(side: Side, fault: GatewayFault | undefined): readonly TunnelEffect[] {
    if (this.#heard.has(side)) return this.#heard.has(otherOf(side)) ? this.#over() : [];
    this.#end ??= { outcome: side === 'client' ? 'cancelled' : 'failed', errorCode: '1006', reason: fault?.publicMessage };
    return [
      ...this.#tell(otherOf(side), { code: side === 'client' ? 1001 : 1014, reason: `the ${nameOf(side)} went away` }),
      ...this.#over(),
    ];
  }

  /** The gateway ends it. */
  #stop(fault: GatewayFault, code: 1001 | 1008): readonly TunnelEffect[] {
    const isRefusal = fault.code === 'masking-refused' || fault.code === 'limit-exceeded';
    this.#end ??= { outcome: isRefusal ? 'failed' : 'cancelled', errorCode: fault.code, reason: fault.publicMessage };
    return [
      ...this.#tell('client', { code, reason: fault.publicMessage }),
      ...this.#tell('upstream', { code: 1001, reason: '' }),
      ...this.#over(),
    ];
  }

  #over(): readonly TunnelEffect[] {
    this.#isOver = true;
    const { operationId } = this.#options.grant;
    const completion: Completion = {
      operationId,
      ...(this.#end ?? { outcome: 'unknown' }),
      rows: 0,
      bytes: this.#bytes,
      masked: Object.fromEntries(this.#masked),
    };
    return [
      { kind: 'deadline', afterMs: undefined },
      { kind: 'complete', completion },
      { kind: 'close', fault: undefined },
    ];
  }

  /** A close, once. */
  #tell(side: Side, close: Close): readonly TunnelEffect[] {
    if (this.#told.has(side)) return [];
    this.#told.add(side);
    return this.#send(side, opcodes.close, closePayload(close));
  }

  #send(side: Side, opcode: Opcode, payload: Uint8Array): readonly TunnelEffect[] {
    const { grant, randomBytes } = this.#options;
    if (side === 'client') return [{ kind: 'reply', bytes: encodeFrame(opcode, payload, undefined), grant }];
    return [{ kind: 'forward', bytes: encodeFrame(opcode, payload, randomBytes(4)), grant }];
  }

  // ---- the recording

  /** Its first messages, with everything masked, also what the principal saw. */
  #sample(side: Side, kind: 'text' | 'binary', bytes: Uint8Array): readonly TunnelEffect[] {
    const { grant, record } = this.#options;
    const { operationId } = grant;
    this.#messages += 1;
    if (this.#messages > mostSamples) {
      return this.#messages === mostSamples + 1
        ? [{ kind: 'note', event: 'messages-not-sampled', detail: { operation: operationId } }]
        : [];
    }
    const row = [nameOf(side), kind, kind === 'text' ? sampleText(bytes, record) : null];
    return [{ kind: 'sample', sample: { operationId, columns: ['from', 'kind', 'message'], rows: [row] } }];
  }
}

/** As a body of its kind would be. */
function sampleText(bytes: Uint8Array, record: HttpMasks): string | null {
  const window = { bytes: bytes.subarray(0, sampleBytes), isWhole: bytes.length <= sampleBytes, isCoded: false };
  const type = window.isWhole && isJson(lenient.decode(bytes)) ? 'application/json' : 'text/plain';
  return sampleOf({ status: 101, fields: [{ name: 'content-type', value: type }] }, window, record).row.at(-1) ?? null;
}

function notShown(why: string): GatewayFault {
  return new GatewayFault('masking-refused', { publicMessage: `a message of the target cannot be shown: ${why}` });
}

function otherOf(side: Side): Side {
  return side === 'client' ? 'upstream' : 'client';
}

function nameOf(side: Side): string {
  return side === 'client' ? 'client' : 'target';
}

const encoder = new TextEncoder();
const lenient = new TextDecoder();
const normal: ReadonlySet<number> = new Set([1000, 1001]);
/** Of one message, all its fragments together. */
const maxMessageBytes = 4 * 1024 * 1024;
const closeTimeoutMs = 5_000;
const mostSamples = 200;
const sampleBytes = 16 * 1024;

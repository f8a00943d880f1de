import { GatewayFault } from '../../core/fault.ts';
import type { AnswerEnd, AnswerHead, AnswerPlan, FaultContext, HeaderField, StreamedAnswer } from '../request.ts';
import { plainMessage, type Call } from './call.ts';
import type { MessageCoding, MessageMasker } from './environment.ts';
import { statusFields } from './fault.ts';
import { compressedFlag, encodeFrame, FrameCounter, FrameReader, type Frame } from './frame.ts';
import { carriageOf, contentTypeOf, isCoding, valueOf } from './head.ts';
import { addTo, shownMetadata, type MaskedCounts } from './metadata.ts';
import { statusOfHttp } from './status.ts';
import { failed, shownStatus, type ShownStatus } from './trailers.ts';
import { textOfPiece, trailersFrame } from './web.ts';

/** What the client gets of an answer, told from its head. `samples` is given each message, decoded, before anything is masked. */
export function answerPlan(head: AnswerHead, call: Call, samples: (message: Uint8Array) => void): AnswerPlan {
  const counts: MaskedCounts = new Map();
  const { carriage, subtype } = call.head;
  const contentType: HeaderField = { name: 'content-type', value: contentTypeOf(carriage, subtype) };
  const notGrpc = whyNotGrpc(head, call);
  if (notGrpc !== undefined) return ended(contentType, notGrpc);
  // "Trailers-Only": the head is all there is.
  if (valueOf(head.fields, 'grpc-status') !== undefined) return ended(contentType, shownStatus(head.fields, call, counts));
  const coding = valueOf(head.fields, 'grpc-encoding');
  return {
    kind: 'messages',
    fields: [
      contentType,
      ...(coding === undefined ? [] : [{ name: 'grpc-encoding', value: coding }]),
      ...shownMetadata(head.fields, call.masks, counts),
    ],
    answer: new CallAnswer(call, coding, counts, samples),
  };
}

function ended(contentType: HeaderField, { fields, outcome }: ShownStatus): AnswerPlan {
  return { kind: 'head', fields: [contentType, ...fields], outcome };
}

/** What answers in the target's place, or is in front of it, may speak HTTP only (`http-grpc-status-mapping.md`). */
function whyNotGrpc({ status, fields }: AnswerHead, { environment }: Call): ShownStatus | undefined {
  if (status === 401 && environment.target.credentialNames.length > 0) {
    return failed('INTERNAL', 'the target does not accept the gateway’s own credential');
  }
  if (status !== 200) return failed(statusOfHttp(status), `the target answered with HTTP status ${status}`);
  const carriage = carriageOf(valueOf(fields, 'content-type'))?.carriage;
  return carriage === 'grpc' ? undefined : failed('UNKNOWN', 'the target’s answer is not gRPC');
}

/** Messages of an answer on their way to the client, and the status behind them. */
class CallAnswer implements StreamedAnswer {
  readonly #call: Call;
  readonly #coding: MessageCoding | 'unknown' | undefined;
  readonly #counts: MaskedCounts;
  readonly #samples: (message: Uint8Array) => void;
  readonly #masker: MessageMasker | undefined;
  /** Undefined where nobody looks into messages: they pass in the cuts in which they come. */
  readonly #reader: FrameReader | undefined;
  readonly #counter: FrameCounter;
  #messages = 0;

  constructor(call: Call, coding: string | undefined, counts: MaskedCounts, samples: (message: Uint8Array) => void) {
    const { described, masks, environment } = call;
    this.#call = call;
    this.#coding = coding === undefined || coding === 'identity' ? undefined : isCoding(coding) ? coding : 'unknown';
    this.#counts = counts;
    this.#samples = samples;
    this.#masker = masks.hides ? described?.masker('response', masks) : undefined;
    const limits = { maxBytes: environment.target.maxMessageBytes, of: 'answer' } as const;
    const { rows, rowsPerMinute } = environment.limits.inForce;
    const looks = described !== undefined || call.kind !== 'application' || rows !== undefined || rowsPerMinute !== undefined;
    this.#reader = looks ? new FrameReader(limits) : undefined;
    this.#counter = new FrameCounter(limits);
  }

  get messages(): number {
    return this.#reader === undefined ? this.#counter.messages : this.#messages;
  }

  get masked(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  *push(bytes: Uint8Array): Iterable<Uint8Array> {
    if (this.#reader === undefined) {
      this.#counter.push(bytes);
      yield this.#carried(bytes);
      return;
    }
    for (const frame of this.#reader.push(bytes)) yield this.#carried(this.#shown(frame));
  }

  end(trailers: readonly HeaderField[]): AnswerEnd {
    const isWhole = this.#reader === undefined ? this.#counter.isBetween : this.#reader.isBetween;
    if (!isWhole) throw new GatewayFault('upstream-unavailable', { publicMessage: 'the target’s answer ends in the middle of a message' });
    const { fields, outcome } = shownStatus(trailers, this.#call, this.#counts);
    return { ...this.#carriedEnd(fields), outcome };
  }

  cut(fault: GatewayFault, context: FaultContext): Pick<AnswerEnd, 'pieces' | 'trailers'> {
    return this.#carriedEnd(statusFields(fault, context));
  }

  #shown(frame: Frame): Uint8Array {
    this.#count();
    const isCompressed = (frame.flags & compressedFlag) !== 0;
    if (this.#masker === undefined) {
      this.#sample(frame.message, isCompressed);
      return frame.raw;
    }
    const message = this.#plain(frame.message, isCompressed);
    this.#samples(message);
    const shown = this.#masker.mask(message);
    if (shown instanceof GatewayFault) throw shown;
    for (const [name, count] of shown.masked) addTo(this.#counts, name, count);
    return shown.bytes === message ? frame.raw : encodeFrame(0, shown.bytes);
  }

  /** What cannot be read passes all the same, since nothing is hidden: only the recording goes without it. */
  #sample(message: Uint8Array, isCompressed: boolean): void {
    try {
      this.#samples(this.#plain(message, isCompressed));
    } catch (error) {
      if (!(error instanceof GatewayFault)) throw error;
    }
  }

  #plain(message: Uint8Array, isCompressed: boolean): Uint8Array {
    const { environment } = this.#call;
    if (isCompressed && this.#coding === 'unknown') {
      throw new GatewayFault('masking-refused', {
        publicMessage: 'the target’s answer is in an encoding that the gateway cannot look into',
      });
    }
    return plainMessage(environment, 'answer', isCompressed, this.#coding as MessageCoding | undefined, message);
  }

  #count(): void {
    const { limits, target } = this.#call.environment;
    const { rows, rowsPerMinute } = limits.inForce;
    if (rows !== undefined && this.#messages >= rows) {
      throw new GatewayFault('limit-exceeded', {
        publicMessage: `rows (${rows} messages) of target ${target.name} is exceeded: the answer was stopped`,
      });
    }
    if (limits.rowsLeft() < 1) {
      throw new GatewayFault('rate-exceeded', {
        publicMessage: `rows_per_minute (${rowsPerMinute}) of target ${target.name} is used up: the answer was stopped`,
      });
    }
    this.#messages += 1;
    limits.countRows(1);
  }

  #carried(bytes: Uint8Array): Uint8Array {
    return this.#call.head.carriage === 'web-text' ? textOfPiece(bytes) : bytes;
  }

  #carriedEnd(trailers: readonly HeaderField[]): Pick<AnswerEnd, 'pieces' | 'trailers'> {
    if (this.#call.head.carriage === 'grpc') return { pieces: [], trailers };
    return { pieces: [this.#carried(trailersFrame(trailers))], trailers: [] };
  }
}

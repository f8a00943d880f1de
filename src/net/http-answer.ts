import { GatewayFault, toFault } from '../core/fault.ts';
import type { SessionLimits } from '../core/limits.ts';
import type {
  AnswerEnd,
  AnswerHead,
  AnswerPlan,
  AskedRequest,
  ContentCoding,
  FaultContext,
  HeaderField,
  PieceMasker,
  StreamedAnswer,
} from '../protocols/request.ts';
import { gather } from './http-body.ts';
import type { ClientExchange } from './http-client.ts';
import { BodyEncoder, decoded, encoded } from './http-coding.ts';
import type { UpstreamAnswer } from './http-upstream-answer.ts';
import type { StopSignal } from './stop.ts';

/** The way of one answer from the target to the client, as its plan says. */
export class AnswerRelay {
  readonly status: number;
  readonly #answer: UpstreamAnswer;
  readonly #head: AnswerHead;
  readonly #asked: AskedRequest;
  readonly #limits: SessionLimits;
  readonly #maxBytes: number;
  readonly #window: Uint8Array[] = [];
  #windowBytes = 0;
  #isWhole = false;
  #isCoded = false;
  #shown: Uint8Array | undefined;
  #masked: ReadonlyMap<string, number> = new Map();
  #rows = 0;
  #bytes = 0;
  #streamed: StreamedAnswer | undefined;
  #outcome: AnswerEnd['outcome'] | undefined;

  constructor(answer: UpstreamAnswer, asked: AskedRequest, limits: SessionLimits) {
    this.#answer = answer;
    this.#asked = asked;
    this.#limits = limits;
    this.#maxBytes = limits.inForce.bytes ?? Number.POSITIVE_INFINITY;
    this.status = answer.status;
    this.#head = answer;
  }

  /** What counts as rows of it: of a stream, the messages that went to the client. */
  get rows(): number {
    return this.#streamed?.messages ?? this.#rows;
  }

  /** Bytes of its body that went to the client. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Values masked, by data class. */
  get masked(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#masked);
  }

  /** Messages have begun to pass. */
  get isStream(): boolean {
    return this.#streamed !== undefined;
  }

  /** How it went, where the protocol tells that by more than the status of HTTP; undefined also where it is not known. */
  get outcome(): AnswerEnd['outcome'] | undefined {
    return this.#outcome;
  }

  /** What the recording keeps of it. */
  sample(): ReturnType<AskedRequest['sample']> {
    const [first, ...more] = this.#window;
    const bytes = first !== undefined && more.length === 0 ? first : Buffer.concat(this.#window);
    return this.#asked.sample(this.#head, { bytes, isWhole: this.#isWhole, isCoded: this.#isCoded, shown: this.#shown });
  }

  /**
   * Undefined: the client has it all; else by promise, when it has. Throws, or rejects with, the fault that ends it; what of it was sent by then is not all.
   */
  run(client: ClientExchange, signal: StopSignal, target: string): Promise<void> | undefined {
    const plan = this.#asked.answer(this.#head);
    if (plan.kind === 'refuse') throw plan.fault;
    const whole = this.#there(plan);
    if (whole !== undefined) return this.#answerWhole(plan as WholePlan, whole, client, target);
    if (plan.kind === 'messages' && this.#answer.whole !== undefined) return this.#messages(plan, this.#answer.whole, client, target);
    return this.#whileNotStopped(plan, client, signal, target);
  }

  /** Tells the client of a fault behind what it has already, where the protocol has a way to; else it sees that the answer is not whole. */
  async cut(client: ClientExchange, fault: GatewayFault, context: FaultContext): Promise<void> {
    if (this.#streamed === undefined || client.isGone) {
      client.destroy();
      return;
    }
    const { pieces, trailers } = this.#streamed.cut(fault, context);
    for (const piece of pieces) await client.write(piece);
    client.end(trailers);
  }

  /** All of its body, where it is there already and goes to the client as one. */
  #there(plan: AnswerPlan): Uint8Array | undefined {
    switch (plan.kind) {
      case 'pass': {
        const { whole } = this.#answer;
        return whole !== undefined && this.#answer.trailers().length === 0 ? whole : undefined;
      }
      case 'whole':
        return plan.coding === undefined ? this.#answer.whole : undefined;
      default:
        return undefined;
    }
  }

  #answerWhole(plan: WholePlan, body: Uint8Array, client: ClientExchange, target: string): Promise<void> | undefined {
    if (plan.kind === 'whole') {
      if (body.length > plan.maxBytes) throw plan.tooLong();
      return this.#show(plan, body, client, target);
    }
    this.#noteCoding(plan.fields);
    this.#count(body, target);
    this.#keepWhole(body);
    return client.answer(this.status, plan.fields, body);
  }

  /** Masked. */
  #show(plan: WholePlan & { readonly kind: 'whole' }, body: Uint8Array, client: ClientExchange, target: string): Promise<void> | undefined {
    const shown = plan.mask(body);
    if (shown instanceof GatewayFault) throw shown;
    this.#keepWhole(body);
    this.#shown = shown.body;
    this.#masked = shown.masked;
    this.#countRows(shown.rows ?? 0, target);
    if (plan.codedAgain === undefined || shown.body.length === 0) return this.#answerMasked(shown.fields, shown.body, client, target);
    const fields = codedFields(shown.fields, plan.codedAgain);
    return encoded(shown.body, plan.codedAgain).then((body) => this.#answerMasked(fields, body, client, target));
  }

  #answerMasked(masked: readonly HeaderField[], body: Uint8Array, client: ClientExchange, target: string): Promise<void> | undefined {
    this.#count(body, target);
    const fields = masked.filter(({ name }) => name !== 'content-length');
    fields.push({ name: 'content-length', value: String(body.length) });
    return client.answer(this.status, fields, body);
  }

  async #whileNotStopped(plan: AnswerPlan, client: ClientExchange, signal: StopSignal, target: string): Promise<void> {
    const stop = (): void => this.#answer.discard();
    signal.addEventListener('abort', stop);
    try {
      await this.#follow(plan, client, signal, target);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** An answer that comes piece by piece, or is none. */
  async #follow(plan: AnswerPlan, client: ClientExchange, signal: StopSignal, target: string): Promise<void> {
    switch (plan.kind) {
      case 'refuse':
        throw plan.fault;
      case 'pass':
        this.#noteCoding(plan.fields);
        this.#checkAnnounced(plan.fields, target);
        client.sendHead(this.status, plan.fields);
        await this.#pump(client, signal, target, undefined, undefined);
        client.end(plan.trailers?.(this.#answer.trailers()));
        return;
      case 'head':
        this.#outcome = plan.outcome;
        if (this.#answer.whole === undefined) this.#answer.body.resume();
        client.endWithHead(200, plan.fields);
        return;
      case 'messages':
        this.#streamed = plan.answer;
        client.sendHead(this.status, plan.fields);
        await this.#stream(plan.answer, client, signal, target);
        return;
      case 'pieces': {
        const masker = plan.masker();
        this.#masked = masker.masked;
        const { codedAgain } = plan;
        client.sendHead(this.status, codedAgain === undefined ? plan.fields : codedFields(plan.fields, codedAgain));
        const encoder = codedAgain === undefined ? undefined : new BodyEncoder(codedAgain);
        try {
          await this.#pump(client, signal, target, plan.coding, masker, encoder);
        } finally {
          encoder?.destroy();
        }
        client.end();
        return;
      }
      case 'whole':
        await this.#show(plan, await this.#gathered(plan), client, target);
        return;
      default:
        plan satisfies never;
    }
  }

  async #gathered({ coding, maxBytes, tooLong }: AnswerPlan & { readonly kind: 'whole' }): Promise<Uint8Array> {
    const { bytes, isWhole } = await gather(decoded(this.#answer.body, coding), maxBytes).catch((error: unknown) => {
      throw this.#broken(error, coding);
    });
    if (isWhole) return bytes;
    this.#answer.discard();
    throw tooLong();
  }

  /** As it comes, with back-pressure; through the masker and the encoder where there are any. */
  async #pump(
    client: ClientExchange,
    signal: StopSignal,
    target: string,
    coding: ContentCoding | undefined,
    masker: PieceMasker | undefined,
    encoder?: BodyEncoder,
  ): Promise<void> {
    const write = async (bytes: Uint8Array): Promise<void> => {
      this.#count(bytes, target);
      await client.write(bytes);
      signal.throwIfAborted();
    };
    const send =
      encoder === undefined
        ? write
        : async (bytes: Uint8Array): Promise<void> => {
            for (const piece of await encoder.push(bytes)) await write(piece);
          };
    try {
      for await (const chunk of decoded(this.#answer.body, coding) as AsyncIterable<Buffer>) {
        this.#keep(chunk);
        if (masker === undefined) await send(chunk);
        else for (const piece of masker.push(chunk)) await send(piece);
      }
    } catch (error) {
      throw signal.aborted ? signal.reason : this.#broken(error, coding);
    }
    this.#isWhole = this.#windowBytes <= windowBytes;
    for (const piece of masker?.end() ?? []) await send(piece);
    for (const piece of (await encoder?.end()) ?? []) await write(piece);
  }

  /** Message by message, with back-pressure, and what stands behind them. */
  async #stream(answer: StreamedAnswer, client: ClientExchange, signal: StopSignal, target: string): Promise<void> {
    this.#masked = answer.masked;
    const send = async (piece: Uint8Array): Promise<void> => {
      this.#count(piece, target);
      await client.write(piece);
      signal.throwIfAborted();
    };
    try {
      for await (const chunk of this.#answer.body as AsyncIterable<Buffer>) for (const piece of answer.push(chunk)) await send(piece);
    } catch (error) {
      throw signal.aborted ? signal.reason : this.#broken(error, undefined);
    }
    const { pieces, trailers, outcome } = answer.end(this.#answer.trailers());
    for (const piece of pieces) await send(piece);
    this.#outcome = outcome;
    client.end(trailers);
  }

  /** All of them at once, with head and status. Where one may not be shown, those before it are, as where they come one by one. */
  #messages(
    { fields, answer }: AnswerPlan & { readonly kind: 'messages' },
    whole: Uint8Array,
    client: ClientExchange,
    target: string,
  ): Promise<void> | undefined {
    this.#streamed = answer;
    this.#masked = answer.masked;
    const shown: Uint8Array[] = [];
    const show = (piece: Uint8Array): void => {
      this.#count(piece, target);
      shown.push(piece);
    };
    let end: AnswerEnd;
    try {
      for (const piece of answer.push(whole)) show(piece);
      end = answer.end(this.#answer.trailers());
      for (const piece of end.pieces) show(piece);
    } catch (error) {
      return this.#cutBehind(fields, shown, client, this.#broken(error, undefined));
    }
    this.#outcome = end.outcome;
    client.answerWithTrailers(this.status, fields, shown, end.trailers);
    return undefined;
  }

  async #cutBehind(
    fields: readonly HeaderField[],
    shown: readonly Uint8Array[],
    client: ClientExchange,
    fault: GatewayFault,
  ): Promise<void> {
    client.sendHead(this.status, fields);
    for (const piece of shown) await client.write(piece);
    throw fault;
  }

  /** Nobody writes to these bytes any more: they need no copy. */
  #keepWhole(body: Uint8Array): void {
    this.#window.push(body.subarray(0, windowBytes));
    this.#isWhole = body.length <= windowBytes;
  }

  #noteCoding(fields: readonly HeaderField[]): void {
    this.#isCoded = fields.some(({ name }) => name === 'content-encoding');
  }

  #keep(chunk: Uint8Array): void {
    if (this.#windowBytes < windowBytes) this.#window.push(Uint8Array.prototype.slice.call(chunk, 0, windowBytes - this.#windowBytes));
    this.#windowBytes += chunk.length;
  }

  #countRows(rows: number, target: string): void {
    const most = this.#limits.inForce.rows ?? Number.POSITIVE_INFINITY;
    if (rows > most) throw tooMany('rows', target, most);
    const left = this.#limits.rowsLeft();
    if (rows > left) throw tooMany('rows_per_minute', target, this.#limits.inForce.rowsPerMinute ?? 0);
    this.#limits.countRows(rows);
    this.#rows = rows;
  }

  #checkAnnounced(fields: readonly HeaderField[], target: string): void {
    const announced = Number(fields.find(({ name }) => name === 'content-length')?.value ?? 0);
    if (announced > this.#maxBytes) throw tooMany('bytes', target, this.#maxBytes);
  }

  #count(bytes: Uint8Array, target: string): void {
    if (this.#bytes + bytes.length > this.#maxBytes) throw tooMany('bytes', target, this.#maxBytes);
    this.#bytes += bytes.length;
  }

  #broken(error: unknown, coding: ContentCoding | undefined): GatewayFault {
    if (error instanceof GatewayFault) return error;
    if (coding !== undefined && !this.#answer.body.errored) {
      return new GatewayFault('masking-refused', {
        publicMessage: `the target has answered, but its answer cannot be shown: it is not the ${coding} that it says it is`,
        hint: 'If the request was to change something, it has done so.',
        cause: error,
      });
    }
    return new GatewayFault('upstream-unavailable', {
      publicMessage: 'the target closed the connection in the middle of its answer',
      detail: toFault(error).detail,
      cause: error,
    });
  }
}

function codedFields(fields: readonly HeaderField[], coding: ContentCoding): readonly HeaderField[] {
  return [...fields, { name: 'content-encoding', value: coding }];
}

/** Of an answer that may go to the client as one. */
type WholePlan = AnswerPlan & { readonly kind: 'pass' | 'whole' };

function tooMany(limit: 'bytes' | 'rows' | 'rows_per_minute', target: string, value: number): GatewayFault {
  return new GatewayFault('limit-exceeded', {
    publicMessage: `${limit} (${value}) of target ${target} is exceeded: the answer was stopped`,
  });
}

/** Of a body, for the recording. */
const windowBytes = 16 * 1024;

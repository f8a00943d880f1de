import { GatewayFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import type { ChannelEffect } from '../channel.ts';
import { decodeAnswer } from './decode.ts';
import { packet, packetBefore, type Field } from './encode.ts';
import type { Answer } from './messages.ts';

/** What is done with an answer, which dies when it returns. `raw`: what follows its id, as it came. */
export type Then = (answer: Answer, raw: Uint8Array) => void;

/** The requests that are under way at the target, by ids of the gateway's own: what ids a client uses, twice or not, is its own affair. */
export class Upstream {
  readonly #put: (effect: ChannelEffect) => void;
  readonly #waiting = new Map<number, Then>();
  #lastId = 0;

  constructor(put: (effect: ChannelEffect) => void) {
    this.#put = put;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  ask(grant: Grant, then: Then, type: number, ...fields: readonly Field[]): void {
    this.send(grant, then, (id) => packet(type, id, ...fields));
  }

  /** The last field of the packet is `data`, which goes as it is. */
  askWithData(grant: Grant, then: Then, data: Uint8Array, type: number, ...fields: readonly Field[]): void {
    this.send(grant, then, (id) => packetBefore(data.length, type, id, ...fields));
    this.#put({ kind: 'forward', bytes: data, grant });
  }

  send(grant: Grant, then: Then, toPacket: (id: number) => Uint8Array): void {
    const id = this.#nextId();
    this.#waiting.set(id, then);
    this.#put({ kind: 'forward', bytes: toPacket(id), grant });
  }

  /** Throws `upstream-unavailable` for what nobody asked for, or cannot be read. */
  receive(bytes: Uint8Array): void {
    let answer: Answer;
    try {
      answer = decodeAnswer(bytes);
    } catch (error) {
      throw brokenProtocol(error instanceof GatewayFault ? error.publicMessage : 'it cannot be read');
    }
    const then = this.#waiting.get(answer.id);
    if (then === undefined) throw brokenProtocol(`an answer to ${answer.id}, which was not asked`);
    this.#waiting.delete(answer.id);
    then(answer, bytes.subarray(5));
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId + 1) >>> 0;
    while (this.#waiting.has(this.#lastId));
    return this.#lastId;
  }
}

export function brokenProtocol(detail: string): GatewayFault {
  return new GatewayFault('upstream-unavailable', { publicMessage: 'the target broke the protocol of file transfer', detail });
}

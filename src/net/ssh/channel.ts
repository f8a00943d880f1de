import type Protocol from 'ssh2/lib/protocol/Protocol.js';
import type { GatewayFault } from '../../core/fault.ts';
import type { RawChannelRequest } from '../../protocols/ssh/channel-request.ts';
import { violation } from '../../protocols/ssh/fault.ts';
import { PacketFiller } from './packet-filler.ts';

/** Told of what a channel's peer does. */
export interface ChannelListener {
  /** Bytes that nobody else keeps. */
  data(stream: 'data' | 'extended', bytes: Buffer): void;
  /** No more data comes. */
  eof(): void;
  /** Anything but data: `exec`, `exit-status` … Views that end with the call. */
  request(request: RawChannelRequest): void;
  /** What this side requested last and has no answer yet. */
  answered(succeeded: boolean): void;
  /** It may take data again. */
  drained(): void;
  /** The last call, unless it has the channel `stay`: by the peer, or with its connection, for which the fault is the reason. */
  closed(fault: GatewayFault | undefined): void;
}

export interface ChannelEnds {
  readonly protocol: Protocol;
  /** How the peer calls it. */
  readonly peer: number;
  readonly peerWindow: number;
  readonly peerPacket: number;
  /** The socket has taken so much that nothing more is given to it. */
  readonly isFull: () => boolean;
  /** Both sides have closed it. */
  readonly over: () => void;
  /** What the peer requests waits its turn behind data that is not read yet. What a client requests, signals say, does not. */
  readonly requestsInOrder: boolean;
}

/**
 * One channel (RFC 4254 section 5): windows both ways, data and what belongs behind it in order, end of file and closing of each side by itself. What does not fit
 * the peer's window waits here; `write` says when that has become too much. Throws `protocol-violation` where the peer keeps to no window.
 */
export class SshChannel {
  readonly #ends: ChannelEnds;
  #listener: ChannelListener | undefined;
  /** Bytes that may be sent, and those that may come. */
  #sendWindow: number;
  #receiveWindow = windowBytes;
  /** Read, and not given back to the peer's window yet. */
  #consumed = 0;
  readonly #filler: PacketFiller;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #wasFull = false;
  /** Until someone listens: what comes in one packet with the confirmation is not lost. */
  #paused = true;
  readonly #unread: (() => void)[] = [];
  #ended = false;
  #saidEnd = false;
  #closed = false;
  #peerClosed = false;
  #stays = false;

  constructor(ends: ChannelEnds) {
    this.#ends = ends;
    this.#sendWindow = ends.peerWindow;
    this.#filler = new PacketFiller(ends.protocol, ends.peer, Math.min(ends.peerPacket, packetBytes));
  }

  /** Nothing goes to the peer any more: this side has closed it, or its connection is gone. */
  get isOver(): boolean {
    return this.#closed;
  }

  listen(listener: ChannelListener): void {
    this.#listener = listener;
    this.resume();
  }

  // ---- to the peer

  /** False: enough waits for now, until `drained`. After `end` or `close` it is dropped. Bytes that have to wait are copied. */
  write(stream: 'data' | 'extended', bytes: Uint8Array): boolean {
    if (this.#ended || this.#closed) return true;
    let at = 0;
    if (this.#waiting.length === 0) at = this.#send(stream, bytes, 0);
    if (at < bytes.length) {
      const rest = Buffer.from(bytes.subarray(at));
      this.#waiting.push({ stream, bytes: rest, at: 0 });
      this.#waitingBytes += rest.length;
    }
    this.#wasFull ||= this.isFull;
    return !this.isFull;
  }

  get isFull(): boolean {
    return this.#waitingBytes > mostWaitingBytes || (this.#waitingBytes > 0 && this.#ends.isFull());
  }

  /** Behind all data before it: an ending, a reply. */
  behind(act: (protocol: Protocol, peer: number) => void): void {
    if (this.#closed) return;
    if (this.#waiting.length === 0) this.#act(act);
    else this.#waiting.push({ act });
  }

  #act(act: (protocol: Protocol, peer: number) => void): void {
    this.#filler.flush();
    act(this.#ends.protocol, this.#ends.peer);
  }

  /** Nothing more goes to the peer. */
  end(): void {
    if (this.#ended || this.#closed) return;
    this.behind((protocol, peer) => {
      protocol.channelEOF(peer);
      this.#saidEnd = true;
    });
    this.#ended = true;
  }

  /** The peer was told that nothing more goes to it. */
  get hasSaidEnd(): boolean {
    return this.#saidEnd;
  }

  /** Within `closed`: this side is not closed with the peer's, but by `close`, when it has said its last (RFC 4254 section 5.3). */
  stay(): void {
    this.#stays = true;
  }

  /** Behind all data before it, unless `now`. What the peer still sends is read and dropped. */
  close(now = false): void {
    if (this.#closed) return;
    if (now || this.#peerClosed) {
      this.#waiting = [];
      this.#waitingBytes = 0;
    }
    this.behind((protocol, peer) => protocol.channelClose(peer));
    this.#closed = true;
    this.#ended = true;
    this.resume();
    this.#finish();
  }

  /** Sends what the window and the socket let through. */
  pump(): void {
    for (let head = this.#waiting[0]; head !== undefined; head = this.#waiting[0]) {
      if ('act' in head) {
        this.#waiting.shift();
        this.#act(head.act);
        continue;
      }
      const at = this.#send(head.stream, head.bytes, head.at);
      this.#waitingBytes -= at - head.at;
      head.at = at;
      if (at < head.bytes.length) return;
      this.#waiting.shift();
    }
    this.#finish();
    if (!this.#wasFull || this.isFull) return;
    this.#wasFull = false;
    this.#listener?.drained();
  }

  #send(stream: 'data' | 'extended', bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length && this.#sendWindow > 0 && !this.#ends.isFull()) {
      const length = Math.min(bytes.length - at, this.#sendWindow, packetBytes);
      this.#filler.put(stream, bytes.subarray(at, at + length));
      this.#sendWindow -= length;
      at += length;
    }
    return at;
  }

  /** What was written goes out before whatever else the connection says. */
  flush(): void {
    this.#filler.flush();
  }

  // ---- from the peer

  /** Data are not read until `resume`; the peer may send no more than its window. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    while (!this.#paused && this.#unread.length > 0) this.#unread.shift()!();
  }

  onData(stream: 'data' | 'extended', bytes: Buffer): void {
    this.#receiveWindow -= bytes.length;
    if (this.#receiveWindow < 0) throw violation('more data than the window of its channel lets through');
    this.#inOrder(() => {
      if (!this.#closed) this.#listener?.data(stream, bytes);
      this.#give(bytes.length);
    });
  }

  onWindow(bytes: number): void {
    this.#sendWindow += bytes;
    if (this.#sendWindow > mostWindow) throw violation('a window of more than 2^32 - 1 bytes');
    this.pump();
  }

  onEof(): void {
    this.#inOrder(() => {
      if (!this.#closed) this.#listener?.eof();
    });
  }

  onRequest(request: RawChannelRequest): void {
    const tell = (one: RawChannelRequest): void => {
      if (!this.#closed) this.#listener?.request(one);
      else if (one.wantReply) this.#ends.protocol.channelFailure(this.#ends.peer);
    };
    if (!this.#ends.requestsInOrder || this.#isNext) tell(request);
    else {
      const kept = { ...request, fields: Uint8Array.from(request.fields) };
      this.#inOrder(() => tell(kept));
    }
  }

  onAnswer(succeeded: boolean): void {
    this.#inOrder(() => {
      if (!this.#closed) this.#listener?.answered(succeeded);
    });
  }

  onClose(): void {
    const tell = (): void => {
      if (this.#peerClosed) return;
      this.#peerClosed = true;
      this.#listener?.closed(undefined);
      // Its connection may still be lost.
      if (this.#stays && !this.#closed) return;
      this.#listener = undefined;
      if (this.#closed) this.#finish();
      else this.close(true);
    };
    if (this.#ends.requestsInOrder) this.#inOrder(tell);
    else tell();
  }

  /** Its connection is gone. */
  lost(fault: GatewayFault): void {
    this.#paused = false;
    this.#unread.length = 0;
    this.#closed = true;
    this.#waiting = [];
    this.#filler.drop();
    this.#listener?.closed(fault);
    this.#listener = undefined;
  }

  get #isNext(): boolean {
    return !this.#paused && this.#unread.length === 0;
  }

  #inOrder(tell: () => void): void {
    if (this.#isNext) tell();
    else this.#unread.push(tell);
  }

  /** Gives the window back in large pieces. */
  #give(bytes: number): void {
    this.#consumed += bytes;
    if (this.#consumed < giveBytes || this.#closed) return;
    this.#receiveWindow += this.#consumed;
    this.#ends.protocol.channelWindowAdjust(this.#ends.peer, this.#consumed);
    this.#consumed = 0;
  }

  #finish(): void {
    if (this.#closed && this.#peerClosed && this.#waiting.length === 0) this.#ends.over();
  }
}

type Waiting =
  | { readonly stream: 'data' | 'extended'; readonly bytes: Uint8Array; at: number }
  | { readonly act: (protocol: Protocol, peer: number) => void };

/** What a peer may have on its way: enough for 200 MB/s at 10 ms. */
export const windowBytes = 2 * 1024 * 1024;
/** RFC 4253 section 6.1 asks for packets of 32,768 bytes of payload; OpenSSH sends no larger ones. */
export const packetBytes = 32 * 1024;
const giveBytes = windowBytes / 8;
const mostWaitingBytes = 256 * 1024;
const mostWindow = 2 ** 32 - 1;

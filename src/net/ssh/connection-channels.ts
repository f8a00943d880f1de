import type Protocol from 'ssh2/lib/protocol/Protocol.js';
import type { GatewayFault } from '../../core/fault.ts';
import type { RawChannelRequest } from '../../protocols/ssh/channel-request.ts';
import { violation } from '../../protocols/ssh/fault.ts';
import { packetBytes, SshChannel, windowBytes } from './channel.ts';
import { notOpened } from './connection-faults.ts';

/** The peer asks for a channel. */
export interface OpenRequest {
  readonly type: string;
  /** How the peer calls it. */
  readonly sender: number;
  readonly window: number;
  readonly packetSize: number;
  readonly data: unknown;
}

/** Asks the peer for a channel: `id` is how it is called here. */
export type SendOpen = (protocol: Protocol, id: number, window: number, packet: number) => void;

export interface ConnectionChannelsOptions {
  readonly protocol: () => Protocol;
  readonly peer: 'client' | 'target';
  readonly most: number;
  /** The socket has taken so much that nothing more is given to it. */
  readonly isFull: () => boolean;
}

/** The channels of one connection, open and about to be (RFC 4254 section 5). */
export class ConnectionChannels {
  readonly #options: ConnectionChannelsOptions;
  readonly #channels = new Map<number, SshChannel | Opening>();
  #next = 0;

  constructor(options: ConnectionChannelsOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#channels.size >= this.#options.most;
  }

  /** Answers the peer's request for one. */
  accept(request: OpenRequest, requestsInOrder: boolean): SshChannel {
    const id = this.#freeId();
    const channel = this.#new(id, request.sender, request.window, request.packetSize, requestsInOrder);
    this.#options.protocol().channelOpenConfirm(request.sender, id, windowBytes, packetBytes);
    return channel;
  }

  /** Opens one at the peer. Rejects where it does not, or where the connection is lost. */
  open(send: SendOpen): Promise<SshChannel> {
    const id = this.#freeId();
    return new Promise((resolve, reject) => {
      this.#channels.set(id, { resolve, reject });
      send(this.#options.protocol(), id, windowBytes, packetBytes);
    });
  }

  /** Nothing more comes or goes. */
  lost(fault: GatewayFault): void {
    for (const channel of this.#channels.values()) {
      if (channel instanceof SshChannel) channel.lost(fault);
      else channel.reject(fault);
    }
    this.#channels.clear();
  }

  /** What waits to fill a packet goes out as it is. */
  flush(): void {
    for (const channel of this.#channels.values()) if (channel instanceof SshChannel) channel.flush();
  }

  /** The socket takes more. */
  pump(): void {
    for (const channel of this.#channels.values()) if (channel instanceof SshChannel) channel.pump();
  }

  // ---- from the peer

  onRequest(request: RawChannelRequest): void {
    this.#channel(request.channel)?.onRequest(request);
  }

  /** Of ssh2's messages, those about one channel. */
  handlers(): Record<string, (protocol: Protocol, ...fields: never[]) => void> {
    return {
      CHANNEL_OPEN_CONFIRMATION: (_: Protocol, { recipient, sender, window, packetSize }: Confirmation) => {
        const opening = this.#channels.get(recipient);
        if (opening === undefined || opening instanceof SshChannel) throw violation('a confirmation that was not asked for');
        opening.resolve(this.#new(recipient, sender, window, packetSize, true));
      },
      CHANNEL_OPEN_FAILURE: (_: Protocol, recipient: number, reason: number, text: string) => {
        const opening = this.#channels.get(recipient);
        if (opening === undefined || opening instanceof SshChannel) throw violation('a failure that was not asked for');
        this.#channels.delete(recipient);
        opening.reject(notOpened(this.#options.peer, reason, text));
      },
      CHANNEL_WINDOW_ADJUST: (_: Protocol, id: number, bytes: number) => this.#channel(id)?.onWindow(bytes),
      CHANNEL_DATA: (_: Protocol, id: number, bytes: Buffer) => this.#channel(id)?.onData('data', bytes),
      CHANNEL_EXTENDED_DATA: (_: Protocol, id: number, bytes: Buffer) => this.#channel(id)?.onData('extended', bytes),
      CHANNEL_SUCCESS: (_: Protocol, id: number) => this.#channel(id)?.onAnswer(true),
      CHANNEL_FAILURE: (_: Protocol, id: number) => this.#channel(id)?.onAnswer(false),
      CHANNEL_EOF: (_: Protocol, id: number) => this.#channel(id)?.onEof(),
      CHANNEL_CLOSE: (_: Protocol, id: number) => this.#channel(id)?.onClose(),
    };
  }

  /** Undefined for one that is being opened, and for one that was closed: what comes for it is on its way. */
  #channel(id: number): SshChannel | undefined {
    const channel = this.#channels.get(id);
    return channel instanceof SshChannel ? channel : undefined;
  }

  #freeId(): number {
    while (this.#channels.has(this.#next)) this.#next = (this.#next + 1) % mostId;
    const id = this.#next;
    this.#next = (id + 1) % mostId;
    return id;
  }

  #new(id: number, peer: number, peerWindow: number, peerPacket: number, requestsInOrder: boolean): SshChannel {
    if (peerPacket < leastPacket) throw violation(`packets of at most ${peerPacket} bytes`);
    const channel = new SshChannel({
      protocol: this.#options.protocol(),
      peer,
      peerWindow,
      peerPacket,
      isFull: this.#options.isFull,
      over: () => this.#channels.delete(id),
      requestsInOrder,
    });
    this.#channels.set(id, channel);
    return channel;
  }
}

interface Opening {
  readonly resolve: (channel: SshChannel) => void;
  readonly reject: (fault: GatewayFault) => void;
}

interface Confirmation {
  readonly recipient: number;
  readonly sender: number;
  readonly window: number;
  readonly packetSize: number;
}

const mostId = 2 ** 31;
const leastPacket = 1024;

import type { Duplex } from 'node:stream';
import type { ParsedKey } from 'ssh2';
import Protocol, { type Negotiated } from 'ssh2/lib/protocol/Protocol.js';
import { GatewayFault } from '../../core/fault.ts';
import { ciphers, keyExchanges, macs, ownHostKeys, ownKeyExchanges } from '../../protocols/ssh/algorithms.ts';
import { decodeChannelRequest } from '../../protocols/ssh/channel-request.ts';
import { violation, wordFault } from '../../protocols/ssh/fault.ts';
import { CheaperCipher } from './cheaper-cipher.ts';
import { keepKeys } from './cipher-keys.ts';
import { packetBytes, SshChannel, windowBytes } from './channel.ts';
import { Allowance } from './allowance.ts';
import { sendDisconnect } from './payload.ts';

/** What of a connection only one side has, or each in its own way. Anything that it throws ends the connection. */
export interface ConnectionRole {
  /** Messages of sign-in, by their names in ssh2; what is not here may not come. */
  readonly signIn: Readonly<Record<string, (...fields: never[]) => void>>;
  /** Keys were exchanged, again and again. */
  exchanged(negotiated: Negotiated, isFirst: boolean): void;
  open(request: OpenRequest): void;
  globalRequest(name: string, wantReply: boolean, fields: unknown): void;
  /** The last call: nothing goes out any more. */
  closed(fault: GatewayFault | undefined): void;
}

/** The peer asks for a channel. */
export interface OpenRequest {
  readonly type: string;
  /** How the peer calls it. */
  readonly sender: number;
  readonly window: number;
  readonly packetSize: number;
  readonly data: unknown;
}

export type ConnectionOptions = {
  readonly socket: Duplex;
  readonly role: ConnectionRole;
  readonly maxChannels: number;
  /** After so many bytes, both ways together, keys are exchanged anew. */
  readonly rekeyBytes?: number | undefined;
} & (
  | { readonly side: 'server'; readonly hostKey: ParsedKey; readonly banner: string }
  | { readonly side: 'client'; readonly hostKeyTypes: readonly string[]; readonly verifyHostKey: (key: Buffer) => boolean }
);

/**
 * One SSH connection, whichever side of it this is: the socket, ssh2's `Protocol` (key exchange, ciphers, packets), its channels, and what keeps a peer from taking
 * more than its share: windows, an allowance of messages, no reading from a peer that does not read.
 *
 * ssh2's own `Server` and `Client` are not used: they lose what a client sends before its request was decided, refuse signals after the end of input, and cannot say
 * why they disconnect. `Protocol` is not part of its documented interface; its version is pinned.
 */
export class SshConnection {
  readonly protocol: Protocol;
  readonly #options: ConnectionOptions;
  readonly #channels = new Map<number, SshChannel | Opening>();
  readonly #allowance = new Allowance();
  readonly #keepAlive: NodeJS.Timeout;
  #unanswered = 0;
  #nextChannel = 0;
  #exchanges = 0;
  #corked = false;
  readonly #rekeyBytes: number;
  #rekeyAfter: number;
  #over = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { socket, rekeyBytes = defaultRekeyBytes } = options;
    this.#rekeyBytes = rekeyBytes;
    this.#rekeyAfter = rekeyBytes;
    this.protocol = this.#newProtocol(options);
    this.#keepAlive = setInterval(() => this.#probe(), keepAliveMs);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#lost(this.#broken(error.message)));
    socket.on('end', () => this.#lost(this.#broken('closed')));
    socket.on('close', () => this.#lost(this.#broken('closed')));
    socket.on('drain', () => this.#drained());
    this.protocol.start();
  }

  get isOver(): boolean {
    return this.#over;
  }

  get channels(): number {
    return this.#channels.size;
  }

  /** Tells the peer why, in words, and closes. What the peer is still to read has two seconds. */
  disconnect(fault: GatewayFault): void {
    if (this.#over) return;
    const { disconnect, text } = wordFault(fault);
    try {
      for (const channel of this.#channels.values()) if (channel instanceof SshChannel) channel.flush();
      sendDisconnect(this.protocol, disconnect, text);
    } catch {
      // Before the first keys, or with a peer that is gone: it sees the end of the connection.
    }
    this.#lost(fault);
  }

  // ---- channels

  /** Answers the peer's request for one. */
  accept(request: OpenRequest, requestsInOrder: boolean): SshChannel {
    const id = this.#freeId();
    const channel = this.#newChannel(id, request.sender, request.window, request.packetSize, requestsInOrder);
    this.protocol.channelOpenConfirm(request.sender, id, windowBytes, packetBytes);
    return channel;
  }

  /** A refusal, with the reason of RFC 4254 section 5.1 and in words. */
  refuse({ sender }: OpenRequest, fault: GatewayFault): void {
    const { openFailure, text } = wordFault(fault);
    this.protocol.channelOpenFail(sender, openFailure, text);
  }

  /** Opens one at the peer. Rejects with `upstream-refused`, or where the connection is lost. */
  open(request: (protocol: Protocol, id: number, window: number, packet: number) => void): Promise<SshChannel> {
    if (this.#over) return Promise.reject(this.#broken('closed'));
    const id = this.#freeId();
    return new Promise((resolve, reject) => {
      this.#channels.set(id, { resolve, reject });
      request(this.protocol, id, windowBytes, packetBytes);
    });
  }

  get isFullOfChannels(): boolean {
    return this.#channels.size >= this.#options.maxChannels;
  }

  #freeId(): number {
    while (this.#channels.has(this.#nextChannel)) this.#nextChannel = (this.#nextChannel + 1) % mostChannelId;
    const id = this.#nextChannel;
    this.#nextChannel = (id + 1) % mostChannelId;
    return id;
  }

  #newChannel(id: number, peer: number, peerWindow: number, peerPacket: number, requestsInOrder: boolean): SshChannel {
    if (peerPacket < leastPacket) throw violation(`packets of at most ${peerPacket} bytes`);
    const { socket } = this.#options;
    const channel = new SshChannel({
      protocol: this.protocol,
      peer,
      peerWindow,
      peerPacket,
      isFull: () => socket.writableLength > mostUnsentBytes,
      over: () => this.#channels.delete(id),
      requestsInOrder,
    });
    this.#channels.set(id, channel);
    return channel;
  }

  /** Undefined for one that is being opened. Data for one that never was is a violation; of one that was closed, it is on its way. */
  #channel(id: number): SshChannel | undefined {
    const channel = this.#channels.get(id);
    return channel instanceof SshChannel ? channel : undefined;
  }

  // ---- the wire

  #newProtocol(options: ConnectionOptions): Protocol {
    const types = options.side === 'server' ? ownHostKeys : options.hostKeyTypes;
    const directions = { cipher: ciphers, mac: macs, compress: ['none'], lang: [] };
    const protocol = new Protocol({
      server: options.side === 'server',
      ...(options.side === 'server'
        ? { hostKeys: { [options.hostKey.type]: options.hostKey }, banner: options.banner }
        : { hostVerifier: (key: Buffer, verified: (is: boolean) => void) => verified(options.verifyHostKey(key)) }),
      ident: softwareVersion,
      offer: { kex: options.side === 'server' ? ownKeyExchanges : keyExchanges, serverHostKey: types, cs: directions, sc: directions },
      onWrite: (data) => this.#write(data),
      onError: (error) => this.#lost(error instanceof GatewayFault ? error : violation(error.message)),
      onHeader: ({ versions }) => cheaper?.greeted(versions.software),
      onPacket: () => (this.#unanswered = 0),
      onHandshakeComplete: (negotiated) => {
        keepKeys(protocol);
        this.#exchanges += 1;
        if (this.#exchanges === 1 && cheaper?.prepare(negotiated) === true) this.#rekeyAfter = Math.min(this.#rekeyBytes, muchBytes);
        options.role.exchanged(negotiated, this.#exchanges === 1);
      },
      messageHandlers: this.#handlers(options.role),
    });
    const cheaper = options.side === 'server' ? new CheaperCipher(protocol) : undefined;
    const onPayload = protocol._onPayload;
    protocol._onPayload = (payload) => (payload[0] === CHANNEL_REQUEST ? this.#channelRequest(payload) : onPayload(payload));
    return protocol;
  }

  /** Read here: ssh2 loses terminal modes, and what is not UTF-8 in a command. */
  #channelRequest(payload: Uint8Array): void {
    this.#unanswered = 0;
    this.#allowance.spend();
    const request = decodeChannelRequest(payload);
    this.#channel(request.channel)?.onRequest(request);
  }

  #handlers(role: ConnectionRole): Record<string, (protocol: Protocol, ...fields: never[]) => void> {
    const never = (name: string) => (): void => {
      throw violation(`${name} from the wrong side, or out of its turn`);
    };
    const signIn = Object.fromEntries(
      signInMessages.map((name) => {
        const handle = role.signIn[name] ?? never(name);
        return [name, (_protocol: Protocol, ...fields: never[]) => handle(...fields)];
      }),
    );
    const count = (): void => this.#allowance.spend();
    return {
      ...signIn,
      DISCONNECT: (_: Protocol, reason: number, text: string) =>
        this.#lost(this.#broken(`disconnected with reason ${reason}: ${text.slice(0, 256)}`)),
      DEBUG: count,
      GLOBAL_REQUEST: (_: Protocol, name: string, wantReply: boolean, fields: unknown) => {
        count();
        role.globalRequest(name, wantReply, fields);
      },
      REQUEST_SUCCESS: () => {},
      REQUEST_FAILURE: () => {},
      CHANNEL_OPEN: (_: Protocol, request: OpenRequest) => {
        count();
        role.open(request);
      },
      CHANNEL_OPEN_CONFIRMATION: (_: Protocol, { recipient, sender, window, packetSize }: Confirmation) => {
        const opening = this.#channels.get(recipient);
        if (opening === undefined || opening instanceof SshChannel) throw violation('a confirmation that was not asked for');
        opening.resolve(this.#newChannel(recipient, sender, window, packetSize, true));
      },
      CHANNEL_OPEN_FAILURE: (_: Protocol, recipient: number, reason: number, text: string) => {
        const opening = this.#channels.get(recipient);
        if (opening === undefined || opening instanceof SshChannel) throw violation('a failure that was not asked for');
        this.#channels.delete(recipient);
        opening.reject(notOpened(reason, text));
      },
      CHANNEL_WINDOW_ADJUST: (_: Protocol, id: number, bytes: number) => this.#channel(id)?.onWindow(bytes),
      CHANNEL_DATA: (_: Protocol, id: number, bytes: Buffer) => this.#channel(id)?.onData('data', bytes),
      CHANNEL_EXTENDED_DATA: (_: Protocol, id: number, bytes: Buffer) => this.#channel(id)?.onData('extended', bytes),
      CHANNEL_SUCCESS: (_: Protocol, id: number) => this.#channel(id)?.onAnswer(true),
      CHANNEL_FAILURE: (_: Protocol, id: number) => this.#channel(id)?.onAnswer(false),
      CHANNEL_REQUEST: never('a channel request'),
      CHANNEL_EOF: (_: Protocol, id: number) => this.#channel(id)?.onEof(),
      CHANNEL_CLOSE: (_: Protocol, id: number) => this.#channel(id)?.onClose(),
    };
  }

  #read(chunk: Buffer): void {
    if (this.#over) return;
    try {
      this.protocol.parse(chunk, 0, chunk.length);
    } catch (error) {
      this.disconnect(
        error instanceof GatewayFault
          ? error
          : unreadable((error as Error).message, this.#options.side === 'server' && this.#exchanges > 0),
      );
      return;
    }
    this.#rekeyAfter -= chunk.length;
    if (this.#rekeyAfter < 0) {
      this.#rekeyAfter = this.#rekeyBytes;
      this.protocol.rekey();
    }
    // A peer that does not read what it is answered is not read either.
    if (this.#options.socket.writableLength > mostUnreadBytes) this.#options.socket.pause();
  }

  /** The pieces of a packet, and the packets of one turn, in one write. */
  #write(data: Uint8Array): void {
    const { socket } = this.#options;
    if (!socket.writable) return;
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        socket.uncork();
      });
    }
    this.#rekeyAfter -= data.length;
    socket.write(data);
  }

  #drained(): void {
    if (this.#over) return;
    if (this.#options.socket.isPaused()) this.#options.socket.resume();
    for (const channel of this.#channels.values()) if (channel instanceof SshChannel) channel.pump();
  }

  #probe(): void {
    if (this.#exchanges === 0) return;
    this.#unanswered += 1;
    if (this.#unanswered > mostUnanswered) this.#lost(this.#broken(`no answer for ${(keepAliveMs * mostUnanswered) / 1000} s`));
    else this.protocol.ping();
  }

  #broken(detail: string): GatewayFault {
    return broken(this.#options.side === 'server' ? 'client' : 'target', detail);
  }

  #lost(fault: GatewayFault): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#keepAlive);
    const { socket, role } = this.#options;
    for (const channel of this.#channels.values()) {
      if (channel instanceof SshChannel) channel.lost(fault);
      else channel.reject(fault);
    }
    this.#channels.clear();
    // Ciphers are set free only when nothing more goes through them.
    process.nextTick(() => this.protocol.cleanup());
    socket.end();
    socket.resume();
    const impatience = setTimeout(() => socket.destroy(), closeGraceMs);
    socket.once('close', () => clearTimeout(impatience));
    role.closed(fault);
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

function broken(peer: 'client' | 'target', detail: string): GatewayFault {
  return new GatewayFault('upstream-unavailable', { publicMessage: `the connection to the ${peer} is lost`, detail });
}

/** What ssh2 cannot read. It takes packets of 35,000 bytes (RFC 4253 section 6.1 asks for no more), and clients send each command as one. */
function unreadable(reason: string, isOfClient: boolean): GatewayFault {
  if (reason !== 'Bad packet length' || !isOfClient) return violation(reason);
  return new GatewayFault('limit-exceeded', {
    publicMessage: 'more than 35,000 bytes in one packet, as of a command that is too long',
    hint: 'Give a long script as input (ssh <target> sh < script), or copy it as a file first.',
  });
}

function notOpened(reason: number, text: string): GatewayFault {
  return new GatewayFault('upstream-refused', {
    publicMessage: 'the target does not open a channel',
    detail: `reason ${reason}: ${text.slice(0, 256)}`,
    hint: 'Ask the platform team what the target’s SSH server allows.',
  });
}

const signInMessages = [
  'SERVICE_REQUEST',
  'SERVICE_ACCEPT',
  'USERAUTH_REQUEST',
  'USERAUTH_FAILURE',
  'USERAUTH_SUCCESS',
  'USERAUTH_BANNER',
  'USERAUTH_PASSWD_CHANGEREQ',
  'USERAUTH_PK_OK',
  'USERAUTH_INFO_REQUEST',
  'USERAUTH_INFO_RESPONSE',
] as const;

/** To servers of this name OpenSSH says when it can show no more (`eow@openssh.com`), so that `ssh … yes | head` ends. No minus sign may be in it (RFC 4253 section 4.2). */
const softwareVersion = 'OpenSSH_compatible_Sallyport';
/** SSH_MSG_CHANNEL_REQUEST. */
const CHANNEL_REQUEST = 98;
const mostChannelId = 2 ** 31;
const leastPacket = 1024;
const mostUnsentBytes = 512 * 1024;
const mostUnreadBytes = 4 * 1024 * 1024;
const keepAliveMs = 15_000;
const mostUnanswered = 4;
/** RFC 4253 section 9: new keys after each gigabyte. */
const defaultRekeyBytes = 1024 ** 3;
/** For so much an exchange of keys, some milliseconds, pays where a cheaper cipher follows. */
const muchBytes = 4 * 1024 * 1024;
const closeGraceMs = 2_000;

import type { Duplex } from 'node:stream';
import type { ParsedKey } from 'ssh2';
import Protocol, { type Negotiated } from 'ssh2/lib/protocol/Protocol.js';
import { GatewayFault } from '../../core/fault.ts';
import { ciphers, macs, ownHostKeys } from '../../protocols/ssh/algorithms.ts';
import { decodeChannelRequest } from '../../protocols/ssh/channel-request.ts';
import { violation, wordFault } from '../../protocols/ssh/fault.ts';
import { Allowance } from './allowance.ts';
import type { SshChannel } from './channel.ts';
import { CheaperCipher } from './cheaper-cipher.ts';
import { keepKeys } from './cipher-keys.ts';
import { ConnectionChannels, type OpenRequest, type SendOpen } from './connection-channels.ts';
import { broken, unreadable } from './connection-faults.ts';
import { GlobalRequests, type GlobalReply } from './global-requests.ts';
import { KeyExchanges, offeredKeyExchanges } from './key-exchange.ts';
import { sendDisconnect } from './payload.ts';

/** What of a connection only one side has, or each in its own way. Anything that it throws ends the connection. */
export interface ConnectionRole {
  /** Messages of sign-in, by their names in ssh2; what is not here may not come. */
  readonly signIn: Readonly<Record<string, (...fields: never[]) => void>>;
  /** Keys were exchanged, again and again. */
  exchanged(negotiated: Negotiated, isFirst: boolean): void;
  open(request: OpenRequest): void;
  /** What the peer is answered, in its turn. */
  globalRequest(name: string, fields: unknown): GlobalReply | Promise<GlobalReply>;
  /** The last call: nothing goes out any more. */
  closed(fault: GatewayFault | undefined): void;
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
  readonly #channels: ConnectionChannels;
  readonly #allowance = new Allowance();
  readonly #globals = new GlobalRequests(() => this.protocol);
  readonly #keepAlive: NodeJS.Timeout;
  #unanswered = 0;
  #exchanges = 0;
  #corked = false;
  readonly #rekeyBytes: number;
  #rekeyAfter: number;
  #over = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { socket, side, maxChannels, rekeyBytes = defaultRekeyBytes } = options;
    this.#channels = new ConnectionChannels({
      protocol: () => this.protocol,
      peer: side === 'server' ? 'client' : 'target',
      most: maxChannels,
      isFull: () => socket.writableLength > mostUnsentBytes,
    });
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

  /** Tells the peer why, in words, and closes. What the peer is still to read has two seconds. */
  disconnect(fault: GatewayFault): void {
    if (this.#over) return;
    const { disconnect, text } = wordFault(fault);
    try {
      this.#channels.flush();
      sendDisconnect(this.protocol, disconnect, text);
    } catch {
      // Before the first keys, or with a peer that is gone: it sees the end of the connection.
    }
    this.#lost(fault);
  }

  // ---- channels

  /** Answers the peer's request for one. Throws where the connection is lost. */
  accept(request: OpenRequest, requestsInOrder: boolean): SshChannel {
    if (this.#over) throw this.#broken('closed');
    return this.#channels.accept(request, requestsInOrder);
  }

  /** A refusal, with the reason of RFC 4254 section 5.1 and in words. */
  refuse({ sender }: OpenRequest, fault: GatewayFault): void {
    if (this.#over) return;
    const { openFailure, text } = wordFault(fault);
    this.protocol.channelOpenFail(sender, openFailure, text);
  }

  /** Opens one at the peer. Rejects where it does not, or where the connection is lost. */
  open(send: SendOpen): Promise<SshChannel> {
    return this.#over ? Promise.reject(this.#broken('closed')) : this.#channels.open(send);
  }

  /** Sends a global request that wants a reply: `GlobalRequests.ask`. */
  ask<T>(send: (protocol: Protocol) => void, read: (answer: Uint8Array | undefined) => T): Promise<T> {
    return this.#globals.ask(send, read);
  }

  get isFullOfChannels(): boolean {
    return this.#channels.isFull;
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
      offer: { kex: offeredKeyExchanges(), serverHostKey: types, cs: directions, sc: directions },
      onWrite: (data) => this.#write(data),
      onError: (error) => this.#lost(error instanceof GatewayFault ? error : violation(error.message)),
      onHeader: ({ versions }) => {
        cheaper?.greeted(versions.software);
        exchanges.greeted();
      },
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
    const exchanges = new KeyExchanges(protocol, options.side, (theirs) => cheaper?.offered(theirs));
    const onPayload = protocol._onPayload;
    protocol._onPayload = (payload) => (payload[0] === CHANNEL_REQUEST ? this.#channelRequest(payload) : onPayload(payload));
    return protocol;
  }

  /** Read here: ssh2 loses terminal modes, and what is not UTF-8 in a command. */
  #channelRequest(payload: Uint8Array): void {
    this.#unanswered = 0;
    this.#allowance.spend();
    const request = decodeChannelRequest(payload);
    this.#channels.onRequest(request);
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
        this.#globals.take(wantReply, role.globalRequest(name, fields));
      },
      REQUEST_SUCCESS: (_: Protocol, data: Buffer | null) => this.#globals.answered(data ?? new Uint8Array(0)),
      REQUEST_FAILURE: () => this.#globals.answered(undefined),
      CHANNEL_OPEN: (_: Protocol, request: OpenRequest) => {
        count();
        role.open(request);
      },
      ...this.#channels.handlers(),
      CHANNEL_REQUEST: never('a channel request'),
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
    this.#channels.pump();
  }

  #probe(): void {
    if (this.#exchanges === 0) return;
    this.#unanswered += 1;
    if (this.#unanswered > mostUnanswered) this.#lost(this.#broken(`no answer for ${(keepAliveMs * mostUnanswered) / 1000} s`));
    else this.#globals.ping();
  }

  #broken(detail: string): GatewayFault {
    return broken(this.#options.side === 'server' ? 'client' : 'target', detail);
  }

  #lost(fault: GatewayFault): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#keepAlive);
    const { socket, role } = this.#options;
    this.#channels.lost(fault);
    this.#globals.lost(fault);
    // Ciphers are set free only when nothing more goes through them.
    process.nextTick(() => this.protocol.cleanup());
    socket.end();
    socket.resume();
    const impatience = setTimeout(() => socket.destroy(), closeGraceMs);
    socket.once('close', () => clearTimeout(impatience));
    role.closed(fault);
  }
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
const mostUnsentBytes = 512 * 1024;
const mostUnreadBytes = 4 * 1024 * 1024;
const keepAliveMs = 15_000;
const mostUnanswered = 4;
/** RFC 4253 section 9: new keys after each gigabyte. */
const defaultRekeyBytes = 1024 ** 3;
/** For so much an exchange of keys, some milliseconds, pays where a cheaper cipher follows. */
const muchBytes = 4 * 1024 * 1024;
const closeGraceMs = 2_000;

/** What is used of ssh2 below its documented interface; docs/decisions/dependency-ssh2.md says why. Its version is pinned, and the tests of this folder fail where one of these is not there. */
declare module 'ssh2/lib/protocol/Protocol.js' {
  import type { KeyObject } from 'node:crypto';
  import type kex from 'ssh2/lib/protocol/kex.js';
  import type { ParsedKey } from 'ssh2';

  export interface Negotiated {
    kex: string;
    readonly serverHostKey: string;
    readonly cs: { readonly cipher: string; readonly mac: string; readonly compress: string };
    readonly sc: { readonly cipher: string; readonly mac: string; readonly compress: string };
  }

  export interface ProtocolConfig {
    readonly server: boolean;
    readonly hostKeys?: Readonly<Record<string, ParsedKey>>;
    readonly hostVerifier?: (key: Buffer, verified: (is: boolean) => void) => void;
    readonly ident: string;
    readonly banner?: string;
    readonly offer: {
      readonly kex: readonly string[];
      readonly serverHostKey: readonly string[];
      readonly cs: {
        readonly cipher: readonly string[];
        readonly mac: readonly string[];
        readonly compress: readonly string[];
        readonly lang: readonly string[];
      };
      readonly sc: {
        readonly cipher: readonly string[];
        readonly mac: readonly string[];
        readonly compress: readonly string[];
        readonly lang: readonly string[];
      };
    };
    readonly onWrite: (data: Buffer) => void;
    readonly onError: (error: Error) => void;
    readonly onHeader: (header: { readonly versions: { readonly software: string } }) => void;
    readonly onPacket: () => void;
    readonly onHandshakeComplete: (negotiated: Negotiated) => void;
    readonly messageHandlers: Readonly<Record<string, (protocol: Protocol, ...data: never[]) => void>>;
  }

  interface PacketWriter {
    readonly allocStart: number;
    readonly allocStartKEX: number;
    alloc(payloadSize: number, force?: boolean): Buffer;
    finalize(packet: Buffer, force?: boolean): Buffer;
  }

  /** For what goes out, from the first key exchange on. */
  interface PacketCipher {
    /** Of AES-GCM. */
    _encKey?: Uint8Array | KeyObject;
    /** Of AES in counter mode. */
    _macKey?: Uint8Array | KeyObject;
  }

  /** For what comes in. */
  interface PacketDecipher {
    _decipherKey?: Uint8Array | KeyObject;
    _macKey?: Uint8Array | KeyObject;
    /** Before the first key exchange takes its messages, from then on all. */
    _onPayload: (payload: Buffer) => unknown;
  }

  /** One exchange of keys; of ssh2, a class for each method. */
  export interface KeyExchange {
    /** In the words of its errors. */
    type: string;
    readonly negotiated: Negotiated;
    /** The first exchange's hash, once keys were exchanged. */
    readonly sessionID: Uint8Array;
    /** The peer's SSH_MSG_KEXINIT, for the exchange hash. */
    _remoteKexinit: Uint8Array;
    /** What this side sends. */
    getPublicKey(): Buffer;
    /** Of what the peer sent, as it goes into the hash. */
    convertPublicKey(key: Buffer): Buffer;
    /** Of what the peer sent. A client has asked for its public key before; a server asks for it afterwards. */
    computeSecret(theirs: Buffer): Buffer | Error;
  }

  export default class Protocol {
    constructor(config: ProtocolConfig);
    readonly _cipher: PacketCipher;
    readonly _decipher: PacketDecipher;
    /** The last exchange, once there is one. Set before it begins. */
    readonly _kex: KeyExchange;
    /** The peer's next message is dropped, as what follows a wrong guess. */
    _skipNextInboundPacket: boolean;
    /** What is offered at each key exchange. */
    _offer: kex.KexInit;
    readonly _packetRW: { readonly write: PacketWriter };
    /** The methods of sign-in that were asked for and not answered: by them an answer is known, whose number means different things. */
    readonly _authsQueue: string[];
    /** Takes every decrypted payload outside of a key exchange. */
    _onPayload: (payload: Buffer) => unknown;
    /** Says who this is; the first of all. */
    start(): void;
    parse(chunk: Buffer, from: number, to: number): void;
    cleanup(): void;
    ping(): void;
    rekey(): void;
    requestSuccess(data?: Buffer): void;
    requestFailure(): void;
    channelSuccess(channel: number): void;
    channelFailure(channel: number): void;
    channelEOF(channel: number): void;
    channelClose(channel: number): void;
    channelWindowAdjust(channel: number, bytes: number): void;
    channelOpenConfirm(remote: number, local: number, window: number, maxPacket: number): void;
    channelOpenFail(remote: number, reason: number, description: string): void;
    // As a client.
    service(name: string): void;
    authPassword(user: string, password: string): void;
    authPK(
      user: string,
      key: ParsedKey,
      algorithm: string | undefined,
      sign?: (data: Buffer, signed: (signature: Buffer) => void) => void,
    ): void;
    authKeyboard(user: string): void;
    authInfoRes(answers: readonly string[]): void;
    session(channel: number, window: number, maxPacket: number): void;
    directTcpip(
      channel: number,
      window: number,
      maxPacket: number,
      to: { readonly srcIP: string; readonly srcPort: number; readonly dstIP: string; readonly dstPort: number },
    ): void;
    openssh_directStreamLocal(channel: number, window: number, maxPacket: number, to: { readonly socketPath: string }): void;
    tcpipForward(address: string, port: number, wantReply: boolean): void;
    cancelTcpipForward(address: string, port: number, wantReply: boolean): void;
    openssh_streamLocalForward(path: string, wantReply: boolean): void;
    openssh_cancelStreamLocalForward(path: string, wantReply: boolean): void;
    env(channel: number, name: string, value: string, wantReply: boolean): void;
    pty(
      channel: number,
      rows: number,
      columns: number,
      height: number,
      width: number,
      term: string,
      modes: Buffer,
      wantReply: boolean,
    ): void;
    windowChange(channel: number, rows: number, columns: number, height: number, width: number): void;
    shell(channel: number, wantReply: boolean): void;
    exec(channel: number, command: string, wantReply: boolean): void;
    subsystem(channel: number, name: string, wantReply: boolean): void;
    // As a server.
    serviceAccept(name: string): void;
    authSuccess(): void;
    authFailure(methods: readonly string[]): void;
    authPKOK(algorithm: string, key: Buffer): void;
    authInfoReq(name: string, instruction: string, prompts: readonly { readonly prompt: string; readonly echo: boolean }[]): void;
    exitStatus(channel: number, status: number): void;
    forwardedTcpip(
      channel: number,
      window: number,
      maxPacket: number,
      from: { readonly boundAddr: string; readonly boundPort: number; readonly remoteAddr: string; readonly remotePort: number },
    ): void;
    openssh_forwardedStreamLocal(channel: number, window: number, maxPacket: number, from: { readonly socketPath: string }): void;
  }
}

declare module 'ssh2/lib/protocol/kex.js' {
  import type { ProtocolConfig } from 'ssh2/lib/protocol/Protocol.js';
  interface List {
    readonly array: readonly string[];
  }
  namespace kex {
    interface DirectionLists {
      readonly cipher: List;
      readonly mac: List;
      readonly compress: List;
      readonly lang: List;
    }
    class KexInit {
      constructor(offer: ProtocolConfig['offer']);
      readonly lists: { readonly kex: List; readonly serverHostKey: List; readonly cs: DirectionLists; readonly sc: DirectionLists };
    }
  }
  export default kex;
}

declare module 'ssh2/lib/protocol/utils.js' {
  import type Protocol from 'ssh2/lib/protocol/Protocol.js';
  const utils: {
    sendPacket(protocol: Protocol, packet: Buffer, duringKeyExchange?: boolean): void;
    /** From Node's form of a signature into that of SSH. */
    convertSignature(signature: Buffer, keyType: string): Buffer | undefined;
  };
  export default utils;
}

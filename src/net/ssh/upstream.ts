import type { Socket } from 'node:net';
import ssh2, { type ParsedKey } from 'ssh2';
import type Protocol from 'ssh2/lib/protocol/Protocol.js';
import { fingerprintOf, readCertificate, type PinnedHostKey, type SshCertificate } from '../../config/index.ts';
import { GatewayFault } from '../../core/fault.ts';
import { targetHostKeys } from '../../protocols/ssh/algorithms.ts';
import { violation } from '../../protocols/ssh/fault.ts';
import { dial } from '../upstream.ts';
import { certificateRefused, signOnWith } from './certificate.ts';
import type { SshChannel } from './channel.ts';
import { SshConnection, type ConnectionRole } from './connection.ts';
import type { OpenRequest, SendOpen } from './connection-channels.ts';

/** Where a target is and how the gateway signs on there. */
export interface SshAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeys: readonly PinnedHostKey[];
  readonly credential: SshCredential;
}

export type SshCredential =
  | { readonly kind: 'key'; readonly key: ParsedKey; readonly certificate: SshCertificate | undefined }
  | { readonly kind: 'password'; readonly password: string };

/** A connection to a target, signed on. */
export interface SshUpstream {
  /** Opens a channel of this type. Rejects with a fault. */
  open(request: SendOpen): Promise<SshChannel>;
  /** Sends a global request that wants a reply: `GlobalRequests.ask`. */
  ask<T>(send: (protocol: Protocol) => void, read: (answer: Uint8Array | undefined) => T): Promise<T>;
  readonly isOver: boolean;
  close(fault: GatewayFault): void;
}

/** How a channel that the target opens is answered. */
export type TargetDoor = Pick<SshConnection, 'accept' | 'refuse'>;

export interface ConnectOptions {
  readonly address: SshAddress;
  /** The target, signed on to, asks for a channel. It is to be accepted or refused. */
  readonly opened: (request: OpenRequest, target: TargetDoor) => void;
  /** It was lost after it had been signed on. */
  readonly lost: (fault: GatewayFault) => void;
}

/**
 * Dials a target, verifies its host key against the pinned ones before anything is said of a credential, and signs on. Rejects with `upstream-unavailable` or
 * `upstream-refused`.
 */
export async function connectUpstream(options: ConnectOptions): Promise<SshUpstream> {
  const { host, port } = options.address;
  const socket = await dial({ host, port, tls: undefined });
  return new Promise((resolve, reject) => void new SignOn(socket, options, resolve, reject));
}

class SignOn implements ConnectionRole {
  readonly signIn = {
    SERVICE_ACCEPT: () => this.#authenticate(),
    USERAUTH_SUCCESS: () => this.#signedOn(),
    USERAUTH_FAILURE: (methods: readonly string[]) => this.#failed(methods),
    // What a target's banner says is for people of the target, and would name it.
    USERAUTH_BANNER: () => {},
    USERAUTH_PASSWD_CHANGEREQ: () => this.#refused('it asks for a new password'),
    USERAUTH_INFO_REQUEST: (_name: string, _instruction: string, prompts: readonly unknown[]) => this.#answerPrompts(prompts.length),
  };
  readonly #address: SshAddress;
  readonly #options: ConnectOptions;
  readonly #resolve: (upstream: SshUpstream) => void;
  readonly #reject: (fault: GatewayFault) => void;
  readonly #connection: SshConnection;
  readonly #timer: NodeJS.Timeout;
  #mismatch: GatewayFault | undefined;
  #tried = 0;
  #isSignedOn = false;

  constructor(socket: Socket, options: ConnectOptions, resolve: (upstream: SshUpstream) => void, reject: (fault: GatewayFault) => void) {
    const { address } = options;
    this.#address = address;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(() => this.#connection.disconnect(tooSlow()), signOnTimeoutMs);
    this.#connection = new SshConnection({
      socket,
      side: 'client',
      role: this,
      maxChannels: mostChannels,
      hostKeyTypes: typesOf(address.hostKeys),
      verifyHostKey: (key) => this.#isPinned(key),
    });
  }

  exchanged(_negotiated: unknown, isFirst: boolean): void {
    if (isFirst) this.#connection.protocol.service('ssh-userauth');
  }

  open(request: OpenRequest): void {
    if (!this.#isSignedOn) throw violation('a channel before sign-on');
    this.#options.opened(request, this.#connection);
  }

  /** A target asks nothing of the gateway. */
  globalRequest(): false {
    return false;
  }

  closed(fault: GatewayFault | undefined): void {
    clearTimeout(this.#timer);
    const reason = this.#mismatch ?? fault ?? unreachable('closed');
    if (this.#isSignedOn) this.#options.lost(reason);
    else this.#reject(isBreak(reason) ? unreachable(reason.detail, reason) : reason);
  }

  #isPinned(key: Buffer): boolean {
    const fingerprint = fingerprintOf(key);
    if (this.#address.hostKeys.some((pinned) => pinned.fingerprint === fingerprint)) return true;
    this.#mismatch = new GatewayFault('upstream-refused', {
      publicMessage: 'the target’s host key is not the one that the gateway knows',
      detail: `the target showed ${fingerprint}, the configuration pins ${this.#address.hostKeys.map((one) => one.fingerprint).join(', ')}`,
      hint: 'Do not try again before the platform team has looked at it: somebody else may be answering for the target.',
      nothingSent: true,
    });
    return false;
  }

  #authenticate(): void {
    const { user, credential } = this.#address;
    const { protocol } = this.#connection;
    this.#tried += 1;
    if (credential.kind === 'password') {
      protocol.authPassword(user, credential.password);
      return;
    }
    const { key, certificate } = credential;
    const algorithm = key.type === 'ssh-rsa' ? rsaAlgorithms[this.#tried - 1] : undefined;
    const hash = algorithm === undefined ? undefined : algorithm.slice(-3) === '512' ? 'sha512' : 'sha256';
    if (certificate !== undefined)
      signOnWith(protocol, { user, certificate, algorithm: algorithm ?? key.type, sign: (data) => key.sign(data, hash) });
    else protocol.authPK(user, key, algorithm, (data, signed) => signed(key.sign(data, hash)));
  }

  /** Servers of PAM ask for the password by prompts. */
  #failed(methods: readonly string[]): void {
    const { user, credential } = this.#address;
    if (credential.kind === 'password' && this.#tried === 1 && methods.includes('keyboard-interactive')) {
      this.#tried += 1;
      this.#connection.protocol.authKeyboard(user);
      return;
    }
    if (credential.kind === 'key' && this.#tried === 1 && credential.key.type === 'ssh-rsa') {
      this.#authenticate();
      return;
    }
    this.#refused(`it takes ${methods.join(', ')}`);
  }

  #answerPrompts(prompts: number): void {
    const { credential } = this.#address;
    if (credential.kind !== 'password' || prompts > 1) this.#refused(`it asks ${prompts} questions`);
    else this.#connection.protocol.authInfoRes(prompts === 1 ? [credential.password] : []);
  }

  #refused(reason: string): void {
    const { user, credential } = this.#address;
    const detail = `sign-on as ${user} was refused: ${reason}`;
    const certificate = credential.kind === 'key' ? credential.certificate : undefined;
    const fault = { publicMessage: 'the target does not take the gateway’s own credential', detail, nothingSent: true };
    this.#connection.disconnect(
      certificate === undefined ? new GatewayFault('upstream-refused', fault) : certificateRefused(certificate, user, detail),
    );
  }

  #signedOn(): void {
    clearTimeout(this.#timer);
    this.#isSignedOn = true;
    const connection = this.#connection;
    this.#resolve({
      open: (request) => connection.open(request),
      ask: (send, read) => connection.ask(send, read),
      get isOver() {
        return connection.isOver;
      },
      close: (fault) => connection.disconnect(fault),
    });
  }
}

/** Takes a second of computing where the key has a passphrase: once, and not for each connection. */
export function parseSigningKey(text: string, passphrase: string | undefined): ParsedKey {
  const parsed = ssh2.utils.parseKey(text, passphrase);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || key instanceof Error) {
    throw new GatewayFault('upstream-refused', { publicMessage: 'the gateway’s own key for the target cannot be read' });
  }
  return key;
}

/** One that the configuration has looked at. */
export function parseCertificate(line: string): SshCertificate {
  const certificate = readCertificate(line);
  if (certificate === undefined) {
    throw new GatewayFault('upstream-refused', { publicMessage: 'the gateway’s own certificate for the target cannot be read' });
  }
  return certificate;
}

/** Where the keys themselves are pinned, no other type is asked for: a server shows one key, and not the one that it likes. */
function typesOf(pinned: readonly PinnedHostKey[]): readonly string[] {
  if (pinned.some(({ type }) => type === undefined)) return targetHostKeys;
  const types = new Set(pinned.map(({ type }) => type));
  return targetHostKeys.filter((name) => types.has(name.startsWith('rsa-') ? 'ssh-rsa' : name));
}

/** It broke off before anything was asked of it. */
function isBreak({ code, nothingSent }: GatewayFault): boolean {
  return code === 'protocol-violation' || (code === 'upstream-unavailable' && !nothingSent);
}

function unreachable(detail: string, cause?: unknown): GatewayFault {
  return new GatewayFault('upstream-unavailable', {
    publicMessage: 'the target cannot be reached over SSH',
    detail,
    cause,
    nothingSent: true,
  });
}

function tooSlow(): GatewayFault {
  return new GatewayFault('upstream-unavailable', {
    publicMessage: 'the target accepted the connection and then said nothing',
    nothingSent: true,
  });
}

const rsaAlgorithms = ['rsa-sha2-512', 'rsa-sha2-256'];
const signOnTimeoutMs = 30_000;
const mostChannels = 1_000;

import type { Crypto } from '../../core/crypto.ts';
import { GatewayFault } from '../../core/fault.ts';
import { fromBase64, toBase64 } from '../base64.ts';
import { tlsServerEndPoint } from './channel-binding.ts';
import { toHex } from './hex.ts';
import { preparedPassword } from './saslprep.ts';

/**
 * The client side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), as PostgreSQL runs it inside SASL messages: the user
 * name is left empty, because the server takes the one of the startup packet. Each step may be called once, in order.
 * All faults are `upstream-refused`: an upstream that cannot prove that it knows the password is not ours.
 */
export interface ScramClient {
  readonly mechanism: ScramMechanism;
  /** client-first-message: the initial response of SASLInitialResponse. */
  first(): Uint8Array;
  /** Takes AuthenticationSASLContinue's data; gives the client-final-message, for SASLResponse. */
  continue(serverFirst: Uint8Array): Uint8Array;
  /** Takes AuthenticationSASLFinal's data; faults unless the server has proved itself. Only then may AuthenticationOk be believed. */
  verify(serverFinal: Uint8Array): void;
}

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS';

export interface ScramOptions {
  readonly crypto: Crypto;
  readonly password: string;
  /** What AuthenticationSASL offered. */
  readonly mechanisms: readonly string[];
  /** The upstream's leaf certificate, DER; undefined without TLS. */
  readonly certificate: Uint8Array | undefined;
}

/**
 * Uses `-PLUS` where it is offered and channel binding data are there. Where they are there but it is not offered, says so to the
 * server (gs2 flag `y`), which then notices if someone in between removed the offer. Faults: `upstream-refused` without either.
 */
export function createScramClient(options: ScramOptions): ScramClient {
  const { crypto, mechanisms, certificate } = options;
  const channelBinding = certificate === undefined ? undefined : tlsServerEndPoint(certificate, crypto);
  if (channelBinding !== undefined && mechanisms.includes('SCRAM-SHA-256-PLUS')) {
    return new Exchange(options, 'SCRAM-SHA-256-PLUS', 'p=tls-server-end-point,,', channelBinding);
  }
  if (!mechanisms.includes('SCRAM-SHA-256')) throw refused('the target offers no SASL mechanism that can be used', mechanisms.join(', '));
  return new Exchange(options, 'SCRAM-SHA-256', channelBinding === undefined ? 'n,,' : 'y,,', EMPTY);
}

/**
 * The answer to AuthenticationMD5Password: `md5` and hex(md5(hex(md5(password, user)), salt)) (manual, "Message Flow", "Start-up").
 * MD5 proves nothing about the server and little about the client; it is here because old servers still ask for it.
 */
export function md5Password(crypto: Crypto, user: string, password: string, salt: Uint8Array): string {
  const inner = utf8.encode(toHex(crypto.md5(utf8.encode(password + user))));
  return `md5${toHex(crypto.md5(concat(inner, salt)))}`;
}

/** ClientProof and ServerSignature of RFC 5802 section 3, for an AuthMessage. */
export function scramProof(crypto: Crypto, saltedPassword: Uint8Array, authMessage: string): ScramProof {
  const message = utf8.encode(authMessage);
  const clientKey = crypto.hmacSha256(saltedPassword, utf8.encode('Client Key'));
  const serverKey = crypto.hmacSha256(saltedPassword, utf8.encode('Server Key'));
  const clientSignature = crypto.hmacSha256(crypto.sha256(clientKey), message);
  return {
    proof: clientKey.map((byte, index) => byte ^ clientSignature[index]!),
    serverSignature: crypto.hmacSha256(serverKey, message),
  };
}

interface ScramProof {
  readonly proof: Uint8Array;
  readonly serverSignature: Uint8Array;
}

type Step = 'first' | 'continue' | 'verify' | 'nothing';

class Exchange implements ScramClient {
  readonly mechanism: ScramMechanism;
  readonly #crypto: Crypto;
  readonly #password: string;
  readonly #gs2Header: string;
  readonly #channelBinding: Uint8Array;
  readonly #clientNonce: string;
  #expected: Step = 'first';
  #serverSignature: Uint8Array = EMPTY;

  constructor(options: ScramOptions, mechanism: ScramMechanism, gs2Header: string, channelBinding: Uint8Array) {
    this.mechanism = mechanism;
    this.#crypto = options.crypto;
    this.#password = options.password;
    this.#gs2Header = gs2Header;
    this.#channelBinding = channelBinding;
    this.#clientNonce = toBase64(options.crypto.randomBytes(NONCE_BYTES));
  }

  first(): Uint8Array {
    this.#take('first');
    this.#expected = 'continue';
    return utf8.encode(this.#gs2Header + this.#firstBare());
  }

  continue(serverFirst: Uint8Array): Uint8Array {
    this.#take('continue');
    const text = decodeText(serverFirst);
    const { nonce, salt, iterations } = parseServerFirst(text, this.#clientNonce);
    const crypto = this.#crypto;

    const saltedPassword = crypto.pbkdf2Sha256(preparedPassword(this.#password), salt, iterations);
    const withoutProof = `c=${toBase64(concat(utf8.encode(this.#gs2Header), this.#channelBinding))},r=${nonce}`;
    const { proof, serverSignature } = scramProof(crypto, saltedPassword, `${this.#firstBare()},${text},${withoutProof}`);
    this.#serverSignature = serverSignature;
    this.#expected = 'verify';
    return utf8.encode(`${withoutProof},p=${toBase64(proof)}`);
  }

  verify(serverFinal: Uint8Array): void {
    this.#take('verify');
    const [attribute = ''] = decodeText(serverFinal).split(',');
    if (attribute.startsWith('e=')) throw refused('the target refused the gateway’s credential', attribute.slice(2));
    const signature = attribute.startsWith('v=') ? fromBase64(attribute.slice(2)) : undefined;
    if (signature === undefined) throw malformed('server-final-message has no signature');
    if (signature.length !== this.#serverSignature.length || !this.#crypto.timingSafeEqual(signature, this.#serverSignature)) {
      throw refused('the target could not prove that it knows the gateway’s credential', 'SCRAM server signature does not match');
    }
  }

  #firstBare(): string {
    return `n=,r=${this.#clientNonce}`;
  }

  /** A step that fails leaves nothing to go on with: there is no signature then that a server could be measured by. */
  #take(step: Step): void {
    const expected = this.#expected;
    this.#expected = 'nothing';
    if (expected !== step) throw malformed(`SASL message for step "${step}" where "${expected}" was due`);
  }
}

interface ServerFirst {
  readonly nonce: string;
  readonly salt: Uint8Array;
  readonly iterations: number;
}

/** RFC 5802 section 7: `r=`, `s=`, `i=` in this order; extensions may follow, a mandatory one (`m=`, first) is not understood. */
function parseServerFirst(text: string, clientNonce: string): ServerFirst {
  const [nonce = '', salt = '', iterations = ''] = text.split(',');
  if (!nonce.startsWith('r=') || !salt.startsWith('s=') || !iterations.startsWith('i=')) {
    throw malformed('server-first-message is not r=, s=, i=');
  }
  // The server must add something of its own; otherwise it could have replayed ours.
  if (!nonce.startsWith(`r=${clientNonce}`) || nonce.length <= clientNonce.length + 2) throw malformed('nonce does not continue ours');
  const saltBytes = fromBase64(salt.slice(2));
  if (saltBytes === undefined || saltBytes.length === 0) throw malformed('salt is not base64');
  const count = /^[1-9][0-9]{0,9}$/.test(iterations.slice(2)) ? Number(iterations.slice(2)) : 0;
  if (count < MIN_ITERATIONS || count > MAX_ITERATIONS) {
    throw malformed(`${count} iterations; ${MIN_ITERATIONS} to ${MAX_ITERATIONS} are accepted`);
  }
  return { nonce: nonce.slice(2), salt: saltBytes, iterations: count };
}

function decodeText(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw malformed('message is not valid UTF-8');
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

function malformed(problem: string): GatewayFault {
  return refused('signing in at the target failed', `SCRAM: ${problem}`);
}

function refused(publicMessage: string, detail: string): GatewayFault {
  return new GatewayFault('upstream-refused', { publicMessage, detail });
}

/** As libpq (`SCRAM_RAW_NONCE_LEN`). */
const NONCE_BYTES = 18;
/** RFC 7677 section 4: at least 4096. */
const MIN_ITERATIONS = 4_096;
/** Ours: about half a second of work. A hostile upstream may not ask for more. */
const MAX_ITERATIONS = 600_000;
const EMPTY = new Uint8Array(0);
const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

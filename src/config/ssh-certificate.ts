import { fingerprintOf } from './ssh-host-key.ts';

/**
 * A certificate of OpenSSH (its PROTOCOL.certkeys, draft-miller-ssh-cert): an authority's word that a key may sign in as certain users for some time. Who relies on it verifies the
 * authority's signature; here it is carried, and read for what would make it useless.
 */
export interface SshCertificate {
  /** Of the key that is certified: `ssh-ed25519`, `ecdsa-sha2-nistp256` (384, 521) or `ssh-rsa`. The certificate's own type is this and `certificateSuffix`. */
  readonly keyType: string;
  /** The certificate as it goes over the wire, in the place of a public key. */
  readonly blob: Uint8Array;
  /** The certified key as a plain public key (RFC 4253 section 6.6). */
  readonly publicKey: Uint8Array;
  readonly kind: 'user' | 'host';
  readonly serial: bigint;
  /** What the authority calls it; text for people. */
  readonly keyId: string;
  /** As whom it may sign in: elements of a list, whatever is in them. None: the certificate names nobody, and the server decides what that means. */
  readonly principals: readonly string[];
  /** Milliseconds since 1970. Good from the first on (`-Infinity`: always), and no more at the second (`Infinity`: for ever). */
  readonly validFromMs: number;
  readonly validUntilMs: number;
  /** The authority's key, as `ssh-keygen -L` prints it: `SHA256:…` */
  readonly authority: string;
}

/**
 * The certificate in a line of `id_ed25519-cert.pub`: type, base64, comment. Undefined: it is none, or of a key with which the gateway does not sign, or longer than
 * `maxCertificateBytes`, or has anything behind its end.
 */
export function readCertificate(line: string): SshCertificate | undefined {
  const [type = '', base64 = ''] = line.trim().split(/[ \t]+/);
  if (/[\r\n]/.test(line.trim()) || base64.length > maxBase64Characters) return undefined;
  const blob = Buffer.from(base64, 'base64');
  if (blob.toString('base64') !== base64) return undefined;
  const certificate = decodeCertificate(blob);
  return certificate !== undefined && type === certificate.keyType + certificateSuffix ? certificate : undefined;
}

/** The same of the bytes that base64 stands for. The result has views of them. */
export function decodeCertificate(blob: Uint8Array): SshCertificate | undefined {
  if (blob.length > maxCertificateBytes) return undefined;
  try {
    return decode(blob);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** Of any certificate. */
export type Validity = Pick<SshCertificate, 'validFromMs' | 'validUntilMs'>;

/** Whether it is good at this time: milliseconds since 1970. */
export function standing({ validFromMs, validUntilMs }: Validity, nowMs: number): 'good' | 'not-yet' | 'expired' {
  if (nowMs >= validUntilMs) return 'expired';
  return nowMs < validFromMs ? 'not-yet' : 'good';
}

/** Whether it is for this user. Where it names nobody, that is the server's to say. */
export function names({ principals }: SshCertificate, user: string): boolean {
  return principals.length === 0 || principals.includes(user);
}

function decode(blob: Uint8Array): SshCertificate {
  const fields = new Fields(blob);
  const type = fields.text();
  const keyType = type.endsWith(certificateSuffix) ? type.slice(0, -certificateSuffix.length) : '';
  const keyFields = keyFieldsOf.get(keyType);
  if (keyFields === undefined) throw new Malformed();
  if (fields.string().length === 0) throw new Malformed(); // the nonce
  const beginOfKey = fields.at;
  for (let field = 0; field < keyFields; field += 1) if (fields.string().length === 0) throw new Malformed();
  const publicKey = Buffer.concat([sshString(keyType), blob.subarray(beginOfKey, fields.at)]);
  const serial = fields.uint64();
  const kind = kinds.get(fields.uint32());
  if (kind === undefined) throw new Malformed();
  const keyId = fields.text();
  const principals = namesOf(fields.string());
  const [validFrom, validUntil] = [fields.uint64(), fields.uint64()];
  options(fields.string()); // critical options
  options(fields.string()); // extensions
  fields.string(); // reserved
  const authorityKey = fields.string();
  new Fields(authorityKey).name();
  new Fields(fields.string()).name(); // the signature, and by what algorithm
  fields.end();
  return {
    keyType,
    blob,
    publicKey,
    kind,
    serial,
    keyId,
    principals,
    validFromMs: validFrom === 0n ? -Infinity : millisecondsOf(validFrom),
    validUntilMs: millisecondsOf(validUntil),
    authority: fingerprintOf(authorityKey),
  };
}

function namesOf(list: Uint8Array): readonly string[] {
  const fields = new Fields(list);
  const found: string[] = [];
  while (!fields.isOver) {
    if (found.length >= maxPrincipals) throw new Malformed();
    found.push(fields.text());
  }
  return found;
}

/** What is in them is between the authority and the server. Both are lists of a name and its data. */
function options(list: Uint8Array): void {
  const fields = new Fields(list);
  while (!fields.isOver) {
    fields.name();
    fields.string();
  }
}

/** What no date can say is never. */
function millisecondsOf(seconds: bigint): number {
  return seconds > lastSecond ? Infinity : Number(seconds) * 1000;
}

/** The data types of RFC 4251 section 5. Throws `Malformed` where there are too few bytes. */
class Fields {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isOver(): boolean {
    return this.at === this.#bytes.length;
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  /** A view. */
  string(): Uint8Array {
    const length = this.uint32();
    const from = this.#take(length);
    return this.#bytes.subarray(from, from + length);
  }

  text(): string {
    try {
      return utf8.decode(this.string());
    } catch (error) {
      throw error instanceof TypeError ? new Malformed() : error;
    }
  }

  /** Text that is something. */
  name(): string {
    const text = this.text();
    if (text.length === 0) throw new Malformed();
    return text;
  }

  end(): void {
    if (!this.isOver) throw new Malformed();
  }

  #take(length: number): number {
    if (length > this.#bytes.length - this.at) throw new Malformed();
    this.at += length;
    return this.at - length;
  }
}

class Malformed extends Error {}

function sshString(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** What follows a key's type in the type of its certificate. */
export const certificateSuffix = '-cert-v01@openssh.com';
/** With user name and signature it goes in one packet, of which servers need not take more than 35,000 bytes (RFC 4253 section 6.1). */
export const maxCertificateBytes = 30_000;
const maxBase64Characters = Math.ceil(maxCertificateBytes / 3) * 4;
/** As OpenSSH has it (SSHKEY_CERT_MAX_PRINCIPALS): its server takes no more. */
const maxPrincipals = 256;
/** Of a certified key, besides its type: point; curve and point; exponent and modulus. */
const keyFieldsOf: ReadonlyMap<string, number> = new Map([
  ['ssh-ed25519', 1],
  ['ecdsa-sha2-nistp256', 2],
  ['ecdsa-sha2-nistp384', 2],
  ['ecdsa-sha2-nistp521', 2],
  ['ssh-rsa', 2],
]);
/** SSH_CERT_TYPE_USER and SSH_CERT_TYPE_HOST. */
const kinds: ReadonlyMap<number, 'user' | 'host'> = new Map([
  [1, 'user'],
  [2, 'host'],
]);
/** ECMAScript's time ends at 8.64e15 milliseconds. */
const lastSecond = 8_640_000_000_000n;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

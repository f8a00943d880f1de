import type Protocol from 'ssh2/lib/protocol/Protocol.js';
import utils from 'ssh2/lib/protocol/utils.js';

/** Messages that ssh2 has no words for, in the encoding of RFC 4251 section 5. */
type Field = { readonly uint32: number } | { readonly bool: boolean } | { readonly string: string | Uint8Array };

/** SSH_MSG_DISCONNECT with its reason in words, which people see (RFC 4253 section 11.1). Goes out even while keys are exchanged. */
export function sendDisconnect(protocol: Protocol, reason: number, text: string): void {
  const payload = encode(1, [{ uint32: reason }, { string: text }, { string: '' }]);
  const { write } = protocol._packetRW;
  const packet = write.alloc(payload.length, true);
  packet.set(payload, write.allocStartKEX);
  utils.sendPacket(protocol, write.finalize(packet, true), true);
}

/** SSH_MSG_USERAUTH_BANNER: any time before sign-in is over (RFC 4252 section 5.4). */
export function sendBanner(protocol: Protocol, text: string): void {
  send(protocol, encode(53, [{ string: text }, { string: '' }]));
}

/** SSH_MSG_DEBUG, to be displayed (RFC 4253 section 11.3): OpenSSH's client shows it with `-v`. There is no other way to say why a global request is refused. */
export function sendDebug(protocol: Protocol, text: string): void {
  send(protocol, encode(4, [{ bool: true }, { string: text }, { string: '' }]));
}

export interface CertificateRequest {
  readonly user: string;
  /** Of the certificate, as it is named in a request: `rsa-sha2-512-cert-v01@openssh.com`, where its own type is `ssh-rsa-cert-v01@openssh.com`. */
  readonly algorithm: string;
  readonly certificate: Uint8Array;
  /** Of the key: `rsa-sha2-512`. */
  readonly signedBy: string;
  /** Its signature, as SSH writes it (RFC 4253 section 6.6, RFC 5656 section 3.1.2), without the name. */
  readonly sign: (data: Buffer) => Uint8Array;
}

/**
 * SSH_MSG_USERAUTH_REQUEST by public key, with a certificate in the key's place (RFC 4252 section 7; OpenSSH's PROTOCOL.certkeys). `Protocol.authPK` would name the signature after the certificate, where
 * servers want the key's own algorithm.
 */
export function sendCertificateRequest(protocol: Protocol, { user, algorithm, certificate, signedBy, sign }: CertificateRequest): void {
  const request = encode(50, [
    { string: user },
    { string: 'ssh-connection' },
    { string: 'publickey' },
    { bool: true },
    { string: algorithm },
    { string: certificate },
  ]);
  const signature = sign(Buffer.concat([...encodeField({ string: protocol._kex.sessionID }), request]));
  const named = Buffer.concat([signedBy, signature].flatMap((string) => encodeField({ string })));
  protocol._authsQueue.push('publickey');
  send(protocol, Buffer.concat([request, ...encodeField({ string: named })]));
}

/** A channel request that asks for no reply: `signal`, `exit-signal` (RFC 4254 sections 6.9 and 6.10). */
export function sendChannelRequest(protocol: Protocol, channel: number, name: string, fields: readonly Field[]): void {
  send(protocol, encode(98, [{ uint32: channel }, { string: name }, { bool: false }, ...fields]));
}

/** SSH_MSG_CHANNEL_DATA or SSH_MSG_CHANNEL_EXTENDED_DATA (RFC 4254 section 5.2) of pieces that have this length together. */
export function sendChannelData(
  protocol: Protocol,
  channel: number,
  stream: 'data' | 'extended',
  pieces: readonly Uint8Array[],
  length: number,
): void {
  const { write } = protocol._packetRW;
  const isData = stream === 'data';
  let at = write.allocStart;
  const packet = write.alloc((isData ? 9 : 13) + length);
  packet[at] = isData ? 94 : 95;
  packet.writeUInt32BE(channel, at + 1);
  if (!isData) packet.writeUInt32BE(STDERR, at + 5);
  at += isData ? 5 : 9;
  packet.writeUInt32BE(length, at);
  at += 4;
  for (const piece of pieces) {
    packet.set(piece, at);
    at += piece.length;
  }
  utils.sendPacket(protocol, write.finalize(packet));
}

function send(protocol: Protocol, payload: Buffer): void {
  const { write } = protocol._packetRW;
  const at = write.allocStart;
  const packet = write.alloc(payload.length);
  packet.set(payload, at);
  utils.sendPacket(protocol, write.finalize(packet));
}

function encode(type: number, fields: readonly Field[]): Buffer {
  return Buffer.concat([Buffer.of(type), ...fields.flatMap(encodeField)]);
}

function encodeField(field: Field): Buffer[] {
  if ('bool' in field) return [Buffer.of(field.bool ? 1 : 0)];
  const number = Buffer.alloc(4);
  if ('uint32' in field) {
    number.writeUInt32BE(field.uint32);
    return [number];
  }
  const bytes = Buffer.from(field.string as Uint8Array);
  number.writeUInt32BE(bytes.length);
  return [number, bytes];
}

/** SSH_EXTENDED_DATA_STDERR (RFC 4254 section 5.2). */
const STDERR = 1;

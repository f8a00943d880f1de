import { violation } from './fault.ts';
import { Reader } from './reader.ts';

/** SSH_MSG_KEXINIT (RFC 4253 section 7.1): what one side can do, in its order of preference. */
export interface KeyExchangeInit {
  /** With the markers that stand among them: `ext-info-c`, `kex-strict-c-v00@openssh.com` and the like. */
  readonly keyExchanges: readonly string[];
  readonly hostKeys: readonly string[];
  /** Ciphers from client to server, and from server to client. */
  readonly ciphers: readonly [readonly string[], readonly string[]];
  /** first_kex_packet_follows: the first message of the exchange that this side expects is sent already. */
  readonly isFollowedByGuess: boolean;
}

/** The number of the message. */
export const KEXINIT = 20;

/** Reads a whole message. Throws `protocol-violation`. */
export function decodeKeyExchangeInit(payload: Uint8Array): KeyExchangeInit {
  if (payload[0] !== KEXINIT) throw violation('another message than KEXINIT');
  const reader = new Reader(payload.subarray(listsBegin));
  const [keyExchanges, hostKeys, clientCiphers, serverCiphers] = [names(reader), names(reader), names(reader), names(reader)];
  for (let more = 0; more < otherLists; more += 1) reader.bytes();
  const isFollowedByGuess = reader.boolean();
  reader.uint32();
  reader.end();
  return { keyExchanges, hostKeys, ciphers: [clientCiphers, serverCiphers], isFollowedByGuess };
}

/** The same message, which was decoded before, with other key exchanges. A copy. */
export function withKeyExchanges(payload: Uint8Array, keyExchanges: readonly string[]): Uint8Array {
  const list = new TextEncoder().encode(keyExchanges.join(','));
  const before = new DataView(payload.buffer, payload.byteOffset).getUint32(listsBegin);
  const rest = payload.subarray(listsBegin + 4 + before);
  const changed = new Uint8Array(listsBegin + 4 + list.length + rest.length);
  changed.set(payload.subarray(0, listsBegin));
  new DataView(changed.buffer).setUint32(listsBegin, list.length);
  changed.set(list, listsBegin + 4);
  changed.set(rest, listsBegin + 4 + list.length);
  return changed;
}

/** A name-list (RFC 4251 section 5). */
function names(reader: Reader): readonly string[] {
  const bytes = reader.bytes();
  return bytes.length === 0 ? [] : latin.decode(bytes).split(',');
}

const latin = new TextDecoder('latin1');
/** Behind the number of the message and its cookie. */
const listsBegin = 1 + 16;
/** Of MACs, compression and languages, both ways. */
const otherLists = 6;

import kex from 'ssh2/lib/protocol/kex.js';
import type Protocol from 'ssh2/lib/protocol/Protocol.js';
import type { Negotiated } from 'ssh2/lib/protocol/Protocol.js';
import { authenticatedCiphers } from '../../protocols/ssh/algorithms.ts';

/**
 * A served connection that moves much goes over to AES-GCM where its client knows it. The client's order decides (RFC 4253 section 7.1), and OpenSSH puts AES in counter mode first,
 * which takes an HMAC besides: twice the time, here and there. So keys are exchanged anew, which either side may do at any time (section 9), with an offer of AES-GCM alone. It is
 * never offered alone to a client that has not named it, and only to OpenSSH, in which keys are exchanged anew in the middle of everything, all the time.
 */
export class CheaperCipher {
  readonly #protocol: Protocol;
  #isKnown = false;

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
  }

  /** To be called as soon as the client has said what it is: its list is the next that it sends. */
  greeted(software: string): void {
    if (!software.startsWith('OpenSSH_')) return;
    const decipher = this.#protocol._decipher;
    const onPayload = decipher._onPayload;
    decipher._onPayload = (payload) => {
      decipher._onPayload = onPayload;
      this.#isKnown = cipherLists(payload).every((names) => names.some((name) => authenticatedCiphers.has(name)));
      return onPayload(payload);
    };
  }

  /** After the first exchange. True: the next one, which is to come after a few megabytes, will be a gain. */
  prepare({ cs, sc }: Negotiated): boolean {
    if (!this.#isKnown || [cs, sc].every(({ cipher }) => authenticatedCiphers.has(cipher))) return false;
    const { lists } = this.#protocol._offer;
    const direction = ({ mac, compress, lang }: kex.DirectionLists) => ({
      cipher: [...authenticatedCiphers],
      mac: mac.array,
      compress: compress.array,
      lang: lang.array,
    });
    this.#protocol._offer = new kex.KexInit({
      kex: lists.kex.array,
      serverHostKey: lists.serverHostKey.array,
      cs: direction(lists.cs),
      sc: direction(lists.sc),
    });
    return true;
  }
}

/** The ciphers of SSH_MSG_KEXINIT, both ways: the third and fourth list behind its type and its cookie (RFC 4253 section 7.1). Of anything else, or what is cut short: none. */
function cipherLists(payload: Uint8Array): readonly (readonly string[])[] {
  const lists: string[][] = [];
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  let at = 1 + cookieBytes;
  while (payload[0] === KEXINIT && lists.length < 4 && at + 4 <= payload.length) {
    const end = at + 4 + view.getUint32(at);
    if (end > payload.length) break;
    lists.push(latin.decode(payload.subarray(at + 4, end)).split(','));
    at = end;
  }
  return lists.length < 4 ? [[]] : lists.slice(2);
}

const latin = new TextDecoder('latin1');
const KEXINIT = 20;
const cookieBytes = 16;

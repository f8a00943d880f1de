import kex from 'ssh2/lib/protocol/kex.js';
import type Protocol from 'ssh2/lib/protocol/Protocol.js';
import type { Negotiated } from 'ssh2/lib/protocol/Protocol.js';
import { authenticatedCiphers } from '../../protocols/ssh/algorithms.ts';
import type { KeyExchangeInit } from '../../protocols/ssh/key-exchange-init.ts';

/**
 * A served connection that moves much goes over to AES-GCM where its client knows it. The client's order decides (RFC 4253 section 7.1), and OpenSSH puts AES in counter mode first,
 * which takes an HMAC besides: twice the time, here and there. So keys are exchanged anew, which either side may do at any time (section 9), with an offer of AES-GCM alone. It is
 * never offered alone to a client that has not named it, and only to OpenSSH, in which keys are exchanged anew in the middle of everything, all the time.
 */
export class CheaperCipher {
  readonly #protocol: Protocol;
  #isOpenSsh = false;
  #isKnown = false;

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
  }

  greeted(software: string): void {
    this.#isOpenSsh = software.startsWith('OpenSSH_');
  }

  /** What the client knows, as it says before each exchange. */
  offered({ ciphers }: KeyExchangeInit): void {
    this.#isKnown = this.#isOpenSsh && ciphers.every((names) => names.some((name) => authenticatedCiphers.has(name)));
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

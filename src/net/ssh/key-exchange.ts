import type Protocol from 'ssh2/lib/protocol/Protocol.js';
import type { KeyExchange } from 'ssh2/lib/protocol/Protocol.js';
import { keyExchanges } from '../../protocols/ssh/algorithms.ts';
import { decodeKeyExchangeInit, KEXINIT, withKeyExchanges, type KeyExchangeInit } from '../../protocols/ssh/key-exchange-init.ts';
import { answerHybrid, HybridClient, hybridName, isHybridAvailable } from './hybrid-secret.ts';

/** What is offered by this process, in its order of preference. */
export function offeredKeyExchanges(): readonly string[] {
  return keyExchanges.filter((name) => name !== hybridName || isHybridAvailable());
}

/**
 * Gives a connection of ssh2 the key exchange that ssh2 does not have: mlkem768x25519-sha256.
 *
 * It has the message flow of curve25519-sha256 and the same hash; only what is in both messages, and how the secret comes of it, is different. So where it is agreed on, ssh2 is
 * shown a list of the peer's in which curve25519-sha256 stands alone, and in the exchange that it makes of this, before it begins, the keys are replaced. The peer's own list is put
 * back there, since it is part of what is hashed and signed. The rest is ssh2's, strict key exchange too: the markers of it stay in the list.
 *
 * The guess of a peer (first_kex_packet_follows), such as Dropbear's, is judged here for all exchanges: it is right where both sides prefer the same (RFC 4253 section 7), and else it
 * is dropped, since another message follows. ssh2 drops every one.
 */
export class KeyExchanges {
  readonly #protocol: Protocol;
  readonly #side: 'server' | 'client';
  readonly #offered: (theirs: KeyExchangeInit) => void;
  /** The peer's list, where the hybrid is agreed on, until ssh2 has made an exchange of what it was shown. */
  #arrived: Buffer | undefined;

  /** `offered` is called with each list of the peer, before it is answered. */
  constructor(protocol: Protocol, side: 'server' | 'client', offered: (theirs: KeyExchangeInit) => void) {
    this.#protocol = protocol;
    this.#side = side;
    this.#offered = offered;
    let exchange = protocol._kex;
    Object.defineProperty(protocol, '_kex', {
      get: () => exchange,
      set: (made: KeyExchange) => {
        exchange = this.#adopt(made);
      },
    });
    // From the second exchange on.
    const onPayload = protocol._onPayload;
    protocol._onPayload = (payload) => this.#take(payload, onPayload);
  }

  /** To be called as soon as the peer has said what it is: its list is the next that it sends. */
  greeted(): void {
    const decipher = this.#protocol._decipher;
    const onPayload = decipher._onPayload;
    decipher._onPayload = (payload) => this.#take(payload, onPayload);
  }

  #take(payload: Buffer, pass: (payload: Buffer) => unknown): unknown {
    const protocol = this.#protocol;
    // Of what ssh2 is to skip nothing is believed.
    if (payload[0] !== KEXINIT || protocol._skipNextInboundPacket) return pass(payload);
    const theirs = decodeKeyExchangeInit(payload);
    this.#offered(theirs);
    const { kex, serverHostKey } = protocol._offer.lists;
    const [client, server] = this.#side === 'client' ? [kex.array, theirs.keyExchanges] : [theirs.keyExchanges, kex.array];
    // RFC 4253 section 7.1.
    const isHybrid = client.find((name) => server.includes(name)) === hybridName;
    this.#arrived = isHybrid ? payload : undefined;
    const passed = pass(isHybrid ? Buffer.from(withKeyExchanges(payload, [sameFlow, ...theirs.keyExchanges.filter(isMarker)])) : payload);
    this.#arrived = undefined;
    const isGuessRight = theirs.keyExchanges[0] === kex.array[0] && theirs.hostKeys[0] === serverHostKey.array[0];
    if (theirs.isFollowedByGuess) protocol._skipNextInboundPacket = !isGuessRight;
    return passed;
  }

  #adopt(exchange: KeyExchange): KeyExchange {
    if (this.#arrived === undefined) return exchange;
    exchange._remoteKexinit = this.#arrived;
    exchange.negotiated.kex = hybridName;
    return Object.assign(exchange, this.#side === 'client' ? clientKeys() : serverKeys(), { type: hybridName, convertPublicKey: asItIs });
  }
}

/** What ssh2 asks of an exchange. An error of `computeSecret` ends the connection with SSH_DISCONNECT_KEY_EXCHANGE_FAILED. */
type Keys = Pick<KeyExchange, 'getPublicKey' | 'computeSecret'>;

function clientKeys(): Keys {
  const client = new HybridClient();
  return { getPublicKey: () => client.init, computeSecret: (reply) => orError(() => client.secret(reply)) };
}

/** It asks for the secret first. */
function serverKeys(): Keys {
  let answer: ReturnType<typeof answerHybrid>;
  return {
    getPublicKey: () => answer.reply,
    computeSecret: (init) =>
      orError(() => {
        answer = answerHybrid(init);
        return answer.secret;
      }),
  };
}

/** A secret is hashed as a string of its bytes, with its length, and so is this one: it is a string, where those of other exchanges are numbers (RFC 10042). */
function orError(secret: () => Buffer): Buffer | Error {
  try {
    return secret();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function asItIs(key: Buffer): Buffer {
  return key;
}

/** Among key exchanges, but none. */
function isMarker(name: string): boolean {
  return name.startsWith('ext-info-') || name.startsWith('kex-strict-');
}

/** What ssh2 takes the hybrid for. */
const sameFlow = 'curve25519-sha256';

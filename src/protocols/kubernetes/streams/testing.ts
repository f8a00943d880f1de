import type { Grant } from '../../../core/grant.ts';
import { compileDataClasses, type DataClasses } from '../../../masking/classes.ts';
import type { Crypto } from '../../../core/crypto.ts';
import type { TunnelEffect, TunnelSession } from '../../tunnel.ts';
import type { Inflate } from '../../spdy/index.ts';
import type { StreamContext } from './context.ts';

/** Whatever the mint gives out in a gateway; sessions only pass it on. */
export const testGrant: Grant = { sessionId: 's', operationId: 's-1', sequence: 0 };

export function testClasses(crypto: Crypto): DataClasses {
  const card = {
    name: 'card',
    columns: [],
    paths: [],
    detect: [{ kind: 'recogniser', name: 'card-number' }],
    mask: 'partial-last4',
  } as const;
  return compileDataClasses([card], crypto, new Uint8Array(32));
}

export function testContext(crypto: Crypto, inflate: Inflate): StreamContext {
  const classes = testClasses(crypto);
  return { classes, detectors: classes.detectors, recordDetectors: classes.detectors, inflate, maskKey: () => Uint8Array.of(1, 2, 3, 4) };
}

/** Applies what a session asks for, and notes what is not bytes. */
export class Sides {
  readonly session: TunnelSession;
  readonly effects: TunnelEffect[] = [];
  readonly #toClient: Uint8Array[] = [];
  readonly #toTarget: Uint8Array[] = [];

  constructor(session: TunnelSession) {
    this.session = session;
    this.apply(session.notify({ kind: 'opened' }));
  }

  apply(effects: readonly TunnelEffect[]): void {
    for (const effect of effects) {
      // Copied: what they carry dies at the next call.
      if (effect.kind === 'reply') this.#toClient.push(effect.bytes.slice());
      else if (effect.kind === 'forward') this.#toTarget.push(effect.bytes.slice());
      else this.effects.push(effect);
    }
  }

  toClient(): readonly Uint8Array[] {
    return this.#toClient.splice(0);
  }

  toTarget(): readonly Uint8Array[] {
    return this.#toTarget.splice(0);
  }

  kinds(): readonly string[] {
    return this.effects.map(({ kind }) => kind);
  }

  recorded(stream: string): string {
    return this.effects.map((effect) => (effect.kind === 'transcript' && effect.part.stream === stream ? effect.part.text : '')).join('');
  }
}

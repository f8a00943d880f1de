import type { Crypto } from '../../core/crypto.ts';
import type { OpenSession } from '../../core/effect.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { Grant } from '../../core/grant.ts';
import type { Operation } from '../../core/operation.ts';
import { compileDataClasses } from '../../masking/classes.ts';
import { exactCommands } from '../../shell/index.ts';
import type { ChannelEffect, ChannelSession, Terminal } from './channel.ts';
import type { SshContext, SshSettings } from './context.ts';

/** A context of a target `web-1`, whose principal sees no card numbers. */
export function testContext(
  crypto: Crypto,
  settings: Partial<SshSettings> & { readonly exact?: readonly string[]; readonly remoteUser?: string; readonly readOnly?: boolean } = {},
): SshContext {
  const card = {
    name: 'card',
    columns: [],
    paths: [],
    detect: [{ kind: 'recogniser', name: 'card-number' }],
    mask: 'partial-last4',
  } as const;
  const classes = compileDataClasses([card], crypto, new Uint8Array(32));
  const { exact = [], remoteUser = 'deploy', readOnly = false, ...rest } = settings;
  let operations = 0;
  const session = {
    id: 's',
    target: { name: 'web-1', protocol: 'ssh', labels: {}, masking: 'taint', hold: 'wait', readOnly },
    nextOperationId: () => `s-${(operations += 1)}`,
  } as unknown as OpenSession;
  return {
    session,
    remoteUser,
    isOwnUser: remoteUser === 'deploy',
    classes,
    detectors: classes.detectors,
    recordDetectors: classes.detectors,
    settings: { exactCommands: exactCommands(exact), environment: [], moderated: undefined, ...rest },
    sha256: () => {
      let all = new Uint8Array(0);
      return {
        update: (bytes) => (all = Uint8Array.of(...all, ...bytes)),
        hex: () => Array.from(crypto.sha256(all), (byte) => byte.toString(16).padStart(2, '0')).join(''),
      };
    },
  };
}

export const testTerminal: Terminal = { name: 'xterm', columns: 80, rows: 24, widthPixels: 0, heightPixels: 0, modes: Uint8Array.of(0) };

/** Applies what a channel asks for, and keeps what came of it as text. */
export class TestChannel {
  readonly session: ChannelSession;
  readonly effects: ChannelEffect[] = [];

  constructor(session: ChannelSession) {
    this.session = session;
  }

  /** Copied: what effects carry dies at the next call. */
  apply(effects: readonly ChannelEffect[]): this {
    for (const effect of effects) this.effects.push('bytes' in effect ? { ...effect, bytes: effect.bytes.slice() } : effect);
    return this;
  }

  asks(): readonly Operation[] {
    return this.effects.flatMap((effect) => (effect.kind === 'ask' ? [effect.operation] : []));
  }

  /** The one of this kind. */
  only<Kind extends ChannelEffect['kind']>(kind: Kind): Extract<ChannelEffect, { readonly kind: Kind }> {
    const found = this.effects.filter((effect) => effect.kind === kind);
    if (found.length !== 1) throw new Error(`${found.length} effects of kind ${kind}: ${this.kinds().join(' ')}`);
    return found[0] as Extract<ChannelEffect, { readonly kind: Kind }>;
  }

  kinds(): readonly string[] {
    return this.effects.map(({ kind }) => kind);
  }

  said(stream: 'stdout' | 'stderr'): string {
    return text(this.effects.flatMap((effect) => (effect.kind === 'reply' && effect.stream === stream ? [effect.bytes] : [])));
  }

  forwarded(): string {
    return text(this.effects.flatMap((effect) => (effect.kind === 'forward' ? [effect.bytes] : [])));
  }

  recorded(stream: string): string {
    return this.effects.map((effect) => (effect.kind === 'transcript' && effect.part.stream === stream ? effect.part.text : '')).join('');
  }

  /** The outcome of the last one asked. */
  grant(): this {
    const operation = this.asks().at(-1)!;
    return this.apply(this.session.decide(operation.id, { kind: 'granted', grant: testGrant(operation.id) }));
  }

  refuse(): this {
    const operation = this.asks().at(-1)!;
    const fault = new GatewayFault('policy-denied', { publicMessage: 'policy does not allow ssh:exec' });
    return this.apply(this.session.decide(operation.id, { kind: 'refused', fault }));
  }
}

/** Whatever the mint gives out in a gateway; sessions only pass it on. */
export function testGrant(operationId: string): Grant {
  return { sessionId: 's', operationId, sequence: 0 };
}

function text(pieces: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return pieces.map((piece) => decoder.decode(piece, { stream: true })).join('');
}

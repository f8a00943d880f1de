import type { Outcome } from '../../core/effect.ts';
import type { ChannelEffect } from './channel.ts';
import { targetObject } from './acts.ts';
import type { SshContext } from './context.ts';
import { sshOperation } from './operation.ts';

/** Signals for the program of a channel: each is an operation of its own, and goes to the target when it is granted. */
export class Signals {
  readonly #context: SshContext;
  /** Asked, by operation. */
  readonly #asked = new Map<string, string>();

  constructor(context: SshContext) {
    this.#context = context;
  }

  /** The request is answered at once: OpenSSH wants no answer, and what is refused is on record. */
  ask(name: string): readonly ChannelEffect[] {
    if (!signalName.test(name) || this.#asked.size >= mostAsked) return [{ kind: 'reject' }];
    const operation = sshOperation(this.#context, {
      acts: [{ action: 'ssh:signal', object: targetObject(this.#context.session.target.name) }],
      facts: { signal: name },
      text: `signal ${name}`,
      exact: ['signal', name],
    });
    this.#asked.set(operation.id, name);
    return [{ kind: 'accept' }, { kind: 'ask', operation, refusal: undefined }];
  }

  decide(operationId: string, outcome: Outcome): readonly ChannelEffect[] {
    const name = this.#asked.get(operationId);
    this.#asked.delete(operationId);
    if (name === undefined || outcome.kind === 'refused') return [];
    return [
      { kind: 'forward-signal', name, grant: outcome.grant },
      { kind: 'complete', completion: { operationId, outcome: 'succeeded', rows: 0, bytes: 0, masked: {} } },
    ];
  }
}

/** RFC 4254 section 6.10: without "SIG"; names of others may have an `@`. */
const signalName = /^[A-Z][A-Z0-9]{0,15}(?:@[a-z0-9.-]{1,48})?$/;
const mostAsked = 8;

import type { Outcome } from '../../../core/effect.ts';
import type { Grant } from '../../../core/grant.ts';
import type { Operation } from '../../../core/operation.ts';
import type { ChannelEffect, ChannelEvent, ChannelRequest, ChannelSession, ChannelStream } from '../../../protocols/ssh/channel.ts';

/** The simplest channel that there can be: asks for its program, starts it, and passes everything on. What it was told is kept. */
export class Relay implements ChannelSession {
  readonly requests: ChannelRequest[] = [];
  readonly events: ChannelEvent[] = [];
  readonly #session: Session;
  #start: Extract<ChannelRequest, { readonly kind: 'start' }> | undefined;
  #terminal: Extract<ChannelRequest, { readonly kind: 'terminal' }>['terminal'] | undefined;
  #grant: Grant | undefined;
  #operation = '';
  /** Changes what it says. */
  adjust: (effects: readonly ChannelEffect[]) => readonly ChannelEffect[] = (effects) => effects;

  constructor(session: Session) {
    this.#session = session;
  }

  get grant(): Grant | undefined {
    return this.#grant;
  }

  request(request: ChannelRequest): readonly ChannelEffect[] {
    this.requests.push(request);
    switch (request.kind) {
      case 'start':
        this.#start = request;
        return this.adjust([{ kind: 'accept' }, { kind: 'ask', operation: this.#ask(), refusal: undefined }, { kind: 'pause' }]);
      case 'terminal':
        this.#terminal = request.terminal;
        return this.adjust([{ kind: 'accept' }]);
      case 'signal':
        return this.adjust([
          { kind: 'accept' },
          ...(this.#grant === undefined ? [] : [{ kind: 'forward-signal', name: request.name, grant: this.#grant } as const]),
        ]);
      case 'resize':
        return this.adjust([{ kind: 'accept' }, { ...request, kind: 'forward-resize' }]);
      default:
        return this.adjust([{ kind: 'reject' }]);
    }
  }

  receive(from: ChannelStream, bytes: Uint8Array): readonly ChannelEffect[] {
    const grant = this.#grant as Grant;
    if (from === 'stdin') return this.adjust([{ kind: 'forward', bytes, grant }]);
    return this.adjust([{ kind: 'reply', stream: from, bytes, grant }]);
  }

  decide(_operationId: string, outcome: Outcome): readonly ChannelEffect[] {
    if (outcome.kind === 'refused') {
      const text = new TextEncoder().encode(`refused: ${outcome.fault.publicMessage}\n`);
      return this.adjust([
        { kind: 'reply', stream: 'stderr', bytes: text, grant: undefined },
        { kind: 'exit', ending: { kind: 'status', status: 126 } },
        { kind: 'close', fault: undefined },
      ]);
    }
    this.#grant = outcome.grant;
    const { program } = this.#start!;
    return this.adjust([{ kind: 'start', grant: outcome.grant, program, environment: [['LANG', 'C']], terminal: this.#terminal }]);
  }

  notify(event: ChannelEvent): readonly ChannelEffect[] {
    this.events.push(event);
    switch (event.kind) {
      case 'started':
        return this.adjust([{ kind: 'resume' }]);
      case 'not-started':
        return this.adjust(this.#last(event.fault.publicMessage, 255));
      case 'end':
        return this.adjust(this.#last(event.fault.publicMessage, 255));
      case 'ended':
        return this.adjust([{ kind: event.from === 'client' ? 'forward-end' : 'reply-end' }]);
      case 'exited':
        return this.adjust([{ kind: 'exit', ending: event.ending }]);
      case 'closed':
        return this.adjust([this.#complete(), { kind: 'close', fault: undefined }]);
      default:
        return this.adjust([]);
    }
  }

  #last(text: string, status: number): readonly ChannelEffect[] {
    const bytes = new TextEncoder().encode(`${text}\n`);
    return [
      { kind: 'reply', stream: 'stderr', bytes, grant: undefined },
      { kind: 'exit', ending: { kind: 'status', status } },
      this.#complete(),
      { kind: 'close', fault: undefined },
    ];
  }

  #ask(): Operation {
    const operation = relayOperation(this.#session);
    this.#operation = operation.id;
    return operation;
  }

  #complete(): ChannelEffect {
    return { kind: 'complete', completion: { operationId: this.#operation, outcome: 'succeeded', rows: 0, bytes: 0, masked: {} } };
  }
}

function relayOperation(session: Session): Operation {
  return {
    id: session.nextOperationId(),
    sessionId: session.id,
    protocol: 'ssh',
    acts: [{ action: 'ssh:exec', object: { type: 'Target', id: 'web' } }],
    facts: {},
    pureRead: false,
    naming: false,
    text: 'exec',
    textIsExact: true,
    dataClasses: [],
    exact: () => new Uint8Array(),
    unmasked: () => ({ text: 'exec', runs: [], parameters: [] }),
  };
}

interface Session {
  readonly id: string;
  nextOperationId(): string;
}

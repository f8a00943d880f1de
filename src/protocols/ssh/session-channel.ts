import type { Outcome } from '../../core/effect.ts';
import { toFault, type GatewayFault } from '../../core/fault.ts';
import type { Grant } from '../../core/grant.ts';
import type { ChannelEffect, ChannelEvent, ChannelRequest, ChannelSession, ChannelStream, Program } from './channel.ts';
import { channelLine, channelRefusal, outcomeOfFault } from './channel-fault.ts';
import type { SshContext } from './context.ts';
import { ExecSession } from './exec-session.ts';
import { Gathering } from './gathering.ts';
import { ModeratedSession } from './moderation.ts';
import { sshOperation } from './operation.ts';
import { askProgram, sftp, type AskedProgram } from './program.ts';
import type { RunningParts } from './running.ts';
import { sftpSession } from './sftp/session.ts';

/** Serves one channel of type "session" (RFC 4254 section 6), from its opening to its close. */
export function sessionChannel(context: SshContext): ChannelSession {
  return new SessionChannel(context);
}

/** Named for what is awaited. */
type State =
  | { readonly kind: 'program' }
  | { readonly kind: 'decision'; readonly asked: AskedProgram; readonly operationId: string }
  | { readonly kind: 'watcher'; readonly asked: AskedProgram; readonly grant: Grant }
  | { readonly kind: 'target'; readonly asked: AskedProgram; readonly grant: Grant }
  | { readonly kind: 'end'; readonly running: ChannelSession }
  | { readonly kind: 'nothing' };

/**
 * Gathers what a channel asks for until it names its program, asks for all of it as one operation, starts it at the target when it is granted, and hands it over.
 *
 * Traps: (1) one program a channel, so that no refusal can overtake an answer; requests are answered in their order, at once. (2) Variables and terminal are kept and decided with
 * the program that they are for, in the very values with which it starts; a second request for a program is refused. (3) While people are asked, what is typed is kept, within
 * bounds, and Ctrl-C, a signal and the closing of the channel end the hold. (4) What was typed before the program started goes to it when it has, and nowhere if it never does.
 * (5) The request for a program is accepted before it is decided: a client that is told "failure" shows no reason. The refusal is text on stderr and exit status 126.
 * (6) There is nothing to cancel but the whole.
 */
class SessionChannel implements ChannelSession {
  readonly #context: SshContext;
  readonly #gathering: Gathering;
  #state: State = { kind: 'program' };
  /** What the client sent before the program could take it. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #isPaused = false;
  #hasEnded = false;
  #watchers = 0;

  constructor(context: SshContext) {
    this.#context = context;
    this.#gathering = new Gathering(context);
  }

  request(request: ChannelRequest): readonly ChannelEffect[] {
    const state = this.#state;
    if (state.kind === 'end') return state.running.request(request);
    if (state.kind === 'nothing') return [];
    if (request.kind === 'start')
      return state.kind === 'program' ? this.#guarded(() => this.#start(request.program)) : [{ kind: 'reject' }];
    if (request.kind === 'signal') {
      if (state.kind === 'program') return [{ kind: 'reject' }];
      return ending.has(request.name) ? [{ kind: 'accept' }, ...this.#cancel()] : [{ kind: 'reject' }];
    }
    // What a program starts with was decided with it.
    if (state.kind !== 'program' && request.kind !== 'resize') return [{ kind: 'reject' }];
    return this.#guarded(() => this.#gathering.request(request));
  }

  receive(from: ChannelStream, bytes: Uint8Array): readonly ChannelEffect[] {
    const state = this.#state;
    if (state.kind === 'end') return state.running.receive(from, bytes);
    if (state.kind === 'nothing' || from !== 'stdin') return [];
    if (this.#gathering.terminal !== undefined && state.kind !== 'program' && bytes.includes(controlC)) return this.#cancel();
    this.#early.push(bytes.slice());
    this.#earlyBytes += bytes.length;
    if (this.#earlyBytes < mostEarlyBytes || this.#isPaused) return [];
    this.#isPaused = true;
    return [{ kind: 'pause' }];
  }

  decide(operationId: string, outcome: Outcome): readonly ChannelEffect[] {
    const state = this.#state;
    if (state.kind === 'end') return state.running.decide(operationId, outcome);
    // Of an agent or a screen nothing is decided but that it is refused, which it was.
    if (state.kind !== 'decision' || state.operationId !== operationId) return [];
    if (outcome.kind === 'refused') return this.#refuse(outcome.fault, operationId);
    return this.#granted(state.asked, outcome.grant);
  }

  notify(event: ChannelEvent): readonly ChannelEffect[] {
    const state = this.#state;
    if (event.kind === 'watched') this.#watchers = event.watchers;
    if (state.kind === 'end') return state.running.notify(event);
    if (state.kind === 'nothing') return [];
    switch (event.kind) {
      case 'held':
        return [this.#say(`${event.message}${this.#gathering.terminal === undefined ? '' : ' (Ctrl-C gives up)'}`)];
      case 'started':
        return state.kind === 'target' ? this.#guarded(() => this.#handOver(state.asked, state.grant)) : [];
      case 'not-started':
        return this.#fail(event.fault);
      case 'ended':
        this.#hasEnded ||= event.from === 'client';
        return [];
      case 'closed':
        if (event.from === 'client') return this.#over({ outcome: 'cancelled' }, undefined);
        return event.fault === undefined ? this.#over({ outcome: 'unknown' }, undefined) : this.#fail(event.fault);
      case 'end':
        return this.#fail(event.fault);
      case 'watched':
        return state.kind === 'watcher' ? this.#granted(state.asked, state.grant) : [];
      case 'exited':
      case 'deadline':
        return [];
      default:
        return event satisfies never;
    }
  }

  // ---- from the request for a program to its start

  #start(program: Program): readonly ChannelEffect[] {
    const asked = askProgram(this.#context, program, this.#gathering);
    const operation = sshOperation(this.#context, asked.question);
    this.#state = { kind: 'decision', asked, operationId: operation.id };
    return [{ kind: 'accept' }, { kind: 'ask', operation, refusal: asked.refusal }];
  }

  /** Starts it, or waits until someone watches. */
  #granted(asked: AskedProgram, grant: Grant): readonly ChannelEffect[] {
    const group = this.#moderators(asked);
    if (group !== undefined && this.#watchers === 0) {
      if (this.#state.kind === 'watcher') return [];
      this.#state = { kind: 'watcher', asked, grant };
      return [this.#say(`waiting until someone of ${group} watches: sallyport sessions watch ${this.#context.session.id}`)];
    }
    this.#state = { kind: 'target', asked, grant };
    const { environment, terminal } = this.#gathering;
    const start: ChannelEffect = { kind: 'start', grant, program: asked.program, environment, terminal };
    return group === undefined ? [start] : [{ kind: 'note', event: 'watched', detail: { group } }, start];
  }

  /** The group of which someone must watch. */
  #moderators({ isInteractive }: AskedProgram): string | undefined {
    return isInteractive ? this.#context.settings.moderated?.group : undefined;
  }

  #handOver(asked: AskedProgram, grant: Grant): readonly ChannelEffect[] {
    const { terminal, reason } = this.#gathering;
    const parts = { context: this.#context, grant, operationId: grant.operationId, program: asked.program, terminal, reason };
    const program = sessionOf(parts, asked);
    const group = this.#moderators(asked);
    const running =
      group === undefined
        ? program
        : new ModeratedSession({ running: program, group, sessionId: this.#context.session.id, terminal: terminal !== undefined });
    this.#state = { kind: 'end', running };
    const effects = [...running.notify({ kind: 'started' })];
    // They may have left while the target was starting it.
    if (group !== undefined) effects.push(...running.notify({ kind: 'watched', watchers: this.#watchers }));
    for (const bytes of this.#early) effects.push(...running.receive('stdin', bytes));
    this.#early = [];
    if (this.#hasEnded) effects.push(...running.notify({ kind: 'ended', from: 'client' }));
    if (this.#isPaused) effects.push({ kind: 'resume' });
    return effects;
  }

  // ---- how it ends before it began

  /** The client gives up: as a shell would say it. */
  #cancel(): readonly ChannelEffect[] {
    return [{ kind: 'exit', ending: { kind: 'status', status: interrupted } }, ...this.#over({ outcome: 'cancelled' }, undefined)];
  }

  #fail(fault: GatewayFault): readonly ChannelEffect[] {
    const { kind } = this.#state;
    const operationId = this.#grantedOperation();
    // Nobody has asked for anything yet, and there is no program whose end could be told.
    if (kind === 'program') return this.#over({ outcome: 'failed' }, fault);
    return [...this.#told(fault, operationId), ...this.#over(outcomeOfFault(fault), fault)];
  }

  #refuse(fault: GatewayFault, operationId: string): readonly ChannelEffect[] {
    return [...this.#told(fault, operationId), ...this.#over({ outcome: 'failed' }, undefined)];
  }

  #told(fault: GatewayFault, operationId: string | undefined): readonly ChannelEffect[] {
    const { text, status } = channelRefusal(fault, operationId, this.#gathering.terminal !== undefined);
    return [
      { kind: 'reply', stream: 'stderr', bytes: encoder.encode(text), grant: undefined },
      { kind: 'exit', ending: { kind: 'status', status } },
    ];
  }

  /** Only what was granted has an end to be put on record. */
  #over(
    outcome: { readonly outcome: 'cancelled' | 'failed' | 'unknown'; readonly errorCode?: string },
    fault: GatewayFault | undefined,
  ): readonly ChannelEffect[] {
    const granted = this.#grantedOperation();
    this.#state = { kind: 'nothing' };
    this.#early = [];
    const close: ChannelEffect = { kind: 'close', fault };
    if (granted === undefined) return [close];
    const completion = { operationId: granted, ...outcome, reason: fault?.publicMessage, rows: 0, bytes: 0, masked: {} };
    return [{ kind: 'complete', completion }, close];
  }

  #grantedOperation(): string | undefined {
    return this.#state.kind === 'target' || this.#state.kind === 'watcher' ? this.#state.grant.operationId : undefined;
  }

  #say(text: string): ChannelEffect {
    const line = channelLine(text, this.#gathering.terminal !== undefined);
    return { kind: 'reply', stream: 'stderr', bytes: encoder.encode(line), grant: undefined };
  }

  #guarded(act: () => readonly ChannelEffect[]): readonly ChannelEffect[] {
    try {
      return act();
    } catch (error) {
      return this.#fail(toFault(error));
    }
  }
}

/** Who serves a program from its start. */
function sessionOf(parts: RunningParts, { copy }: AskedProgram): ChannelSession {
  const { program } = parts;
  if (program.kind === 'subsystem' && program.name === sftp) return sftpSession(parts);
  return copy === undefined ? new ExecSession(parts) : copy.session(parts);
}

const encoder = new TextEncoder();
/** What a terminal sends for Ctrl-C. */
const controlC = 0x03;
const interrupted = 130;
const ending: ReadonlySet<string> = new Set(['INT', 'TERM', 'HUP', 'QUIT', 'KILL']);
const mostEarlyBytes = 64 * 1024;

import { cut } from '../../core/cut.ts';
import { escapeLine } from '../../core/escape.ts';
import { GatewayFault } from '../../core/fault.ts';
import { maskProse } from '../../masking/text.ts';
import type { ChannelEffect, ChannelRequest, Terminal } from './channel.ts';
import type { SshContext } from './context.ts';
import { maySet } from './environment.ts';
import type { Gathered } from './program.ts';
import { targetObject } from './acts.ts';
import { sshOperation } from './operation.ts';

/** What a channel asks for before its program: variables and a terminal are kept until then; an agent and X11 are refused, on record. */
export class Gathering implements Gathered {
  readonly #context: SshContext;
  readonly #environment = new Map<string, string>();
  #reason: string | undefined;
  #characters = 0;
  #terminal: Terminal | undefined;
  #notes = 0;
  /** What was refused on record already: once each. */
  readonly #refused = new Set<string>();

  constructor(context: SshContext) {
    this.#context = context;
  }

  get environment(): readonly (readonly [string, string])[] {
    return [...this.#environment];
  }

  /** Why it is done, as the client states it; never a variable of the program. */
  get reason(): string | undefined {
    return this.#reason;
  }

  get terminal(): Terminal | undefined {
    return this.#terminal;
  }

  request(request: Exclude<ChannelRequest, { readonly kind: 'start' | 'signal' }>): readonly ChannelEffect[] {
    switch (request.kind) {
      case 'environment':
        return this.#set(request.name, request.value);
      case 'terminal':
        return [this.#open(request.terminal)];
      case 'resize': {
        const { columns, rows, widthPixels, heightPixels } = request;
        if (this.#terminal === undefined) return [{ kind: 'reject' }];
        this.#terminal = { ...this.#terminal, columns, rows, widthPixels, heightPixels };
        return [{ kind: 'accept' }];
      }
      case 'forward-agent':
        return this.#refuse('ssh:forward-agent', 'the gateway forwards no agent: its keys would be in reach of the target');
      case 'forward-x11':
        return this.#refuse('ssh:forward-x11', 'the gateway forwards no X11: the target would see and type on the screen of the client');
      default:
        return request satisfies never;
    }
  }

  #set(name: string, value: string): readonly ChannelEffect[] {
    if (name === reasonVariable) {
      const { classes, recordDetectors } = this.#context;
      const stated = maskProse(classes, recordDetectors, escapeLine(cut(value.trim(), mostReasonCharacters)));
      this.#reason = stated === '' ? undefined : stated;
      return [{ kind: 'accept' }];
    }
    if (!maySet(name, this.#context.settings.environment)) {
      this.#notes += 1;
      return this.#notes > mostNotes
        ? [{ kind: 'reject' }]
        : [{ kind: 'note', event: 'environment-refused', detail: { name: name.slice(0, 128) } }, { kind: 'reject' }];
    }
    this.#characters += name.length + value.length;
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    if (this.#characters > mostCharacters || /[\u0000-\u001f\u007f]/.test(value)) return [{ kind: 'reject' }];
    this.#environment.set(name, value);
    return [{ kind: 'accept' }];
  }

  #open(terminal: Terminal): ChannelEffect {
    if (this.#terminal !== undefined || !terminalName.test(terminal.name) || terminal.modes.length > mostModes) return { kind: 'reject' };
    this.#terminal = { ...terminal, modes: terminal.modes.slice() };
    return { kind: 'accept' };
  }

  #refuse(action: 'ssh:forward-agent' | 'ssh:forward-x11', why: string): readonly ChannelEffect[] {
    if (this.#refused.has(action)) return [{ kind: 'reject' }];
    this.#refused.add(action);
    const operation = sshOperation(this.#context, {
      acts: [{ action, object: targetObject(this.#context.session.target.name) }],
      facts: {},
      text: action === 'ssh:forward-agent' ? 'forward the agent' : 'forward X11',
      exact: [action],
    });
    return [{ kind: 'ask', operation, refusal: new GatewayFault('unsupported', { publicMessage: why }) }, { kind: 'reject' }];
  }
}

const reasonVariable = 'SALLYPORT_REASON';
const mostReasonCharacters = 256;
/** A value of TERM names a file of the terminal database. Empty: none is set. */
const terminalName = /^(?:[A-Za-z0-9][A-Za-z0-9._+-]{0,63})?$/;
/** RFC 4254 section 8 knows some 60 modes of five bytes. */
const mostModes = 4_096;
const mostCharacters = 32_768;
const mostNotes = 16;

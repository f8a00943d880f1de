import { GatewayFault } from '../../core/fault.ts';
import type { Act, Facts } from '../../core/operation.ts';
import { readCommand, type CommandReading } from '../../shell/index.ts';
import { commandObject, targetObject, variableObject } from './acts.ts';
import type { Program, Terminal } from './channel.ts';
import type { SshContext } from './context.ts';
import type { SshQuestion } from './operation.ts';
import { recogniseCopy } from './copy/recognise.ts';
import type { Copy } from './running.ts';

/** What a channel asks to run, with everything that it asked for before. */
export interface AskedProgram {
  readonly question: SshQuestion;
  /** Why it is refused, whatever policy says. */
  readonly refusal: GatewayFault | undefined;
  /** What goes to the target. */
  readonly program: Program;
  readonly copy: Copy | undefined;
  /** What is typed, or comes in, decides what runs: a shell, a terminal, an interpreter. */
  readonly isInteractive: boolean;
}

export interface Gathered {
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly terminal: Terminal | undefined;
  /** Stated, never believed. */
  readonly reason: string | undefined;
}

/**
 * A shell, a command or a subsystem as one question: the program, each variable and the terminal are acts of one operation, so that one decision and one approval bind all
 * of them. The window's size is not bound: it may change at any time.
 */
export function askProgram(context: SshContext, program: Program, gathered: Gathered): AskedProgram {
  const { environment, terminal, reason } = gathered;
  const meaning = meaningOf(context, program, terminal !== undefined);
  const target = context.session.target.name;
  const acts: Act[] = [...meaning.acts];
  for (const name of new Set(environment.map(([one]) => one)))
    acts.push({ action: 'ssh:set-environment', object: variableObject(target, name) });
  if (terminal !== undefined) acts.push({ action: 'ssh:terminal', object: targetObject(target) });
  const facts: Facts = {
    ...meaning.facts,
    terminal: terminal !== undefined,
    ...(reason === undefined ? {} : { reason }),
    ...(environment.length === 0 ? {} : { environment: [...new Set(environment.map(([name]) => name))] }),
  };
  const question: SshQuestion = {
    acts,
    facts,
    text: meaning.text,
    ...(environment.length === 0 ? {} : { parameters: environment.map(([name, value]) => `${name}=${value}`) }),
    exact: [
      meaning.program.kind,
      meaning.text,
      ...(terminal === undefined ? ['no terminal'] : ['terminal', terminal.name, terminal.modes]),
      reason ?? '',
      String(environment.length),
      ...environment.flat(),
    ],
  };
  return {
    question,
    refusal: meaning.refusal ?? (context.session.target.readOnly === true && mayWrite(meaning) ? readOnly() : undefined),
    program: meaning.program,
    copy: meaning.copy,
    isInteractive: terminal !== undefined || meaning.takesCommands,
  };
}

interface Meaning {
  readonly acts: readonly Act[];
  readonly facts: Facts;
  /** What will run, in a word or as its text. */
  readonly text: string;
  readonly program: Program;
  readonly refusal?: GatewayFault | undefined;
  readonly copy?: Copy | undefined;
  readonly takesCommands: boolean;
}

function meaningOf(context: SshContext, program: Program, hasTerminal: boolean): Meaning {
  const object = targetObject(context.session.target.name);
  switch (program.kind) {
    case 'shell':
      return { acts: [{ action: 'ssh:shell', object }], facts: {}, text: 'shell', program, takesCommands: true };
    case 'subsystem': {
      const action = program.name === sftp ? 'ssh:sftp' : 'ssh:subsystem';
      const refusal = subsystemName.test(program.name)
        ? undefined
        : new GatewayFault('unclassified', { publicMessage: 'that is no name of a subsystem' });
      return {
        acts: [{ action, object }],
        facts: { subsystem: program.name },
        text: `subsystem ${program.name}`,
        program,
        refusal,
        takesCommands: false,
      };
    }
    case 'exec':
      return execMeaning(context, program.command, program, hasTerminal);
    default:
      return program satisfies never;
  }
}

function execMeaning(context: SshContext, text: string, program: Program, hasTerminal: boolean): Meaning {
  const target = context.session.target.name;
  const exec = (shown: string): Act => ({ action: 'ssh:exec', object: commandObject(target, shown) });
  const reading = readCommand(text);
  if (reading instanceof GatewayFault)
    return { acts: [exec(text.slice(0, longestObject))], facts: {}, text, program, refusal: reading, takesCommands: true };
  const takesCommands = reading.facts.interpreters.length > 0;
  if (reading.kind === 'script') {
    const isComputed = reading.syntax.includes('computed-program');
    return { acts: [exec(text)], facts: factsOf(reading), text, program, takesCommands: takesCommands || isComputed };
  }
  const isExact = context.settings.exactCommands.includes(reading);
  // A terminal would change the bytes of a file that goes over it.
  const copy = isExact || hasTerminal ? undefined : recogniseCopy(reading.argv);
  if (copy !== undefined) {
    const facts = { ...factsOf(reading), ...copy.facts };
    return { acts: copy.acts(context), facts, text, program, refusal: copy.refusal(context), copy, takesCommands: false };
  }
  return {
    acts: [exec(reading.canonical)],
    facts: { ...factsOf(reading), ...(isExact ? { exact_command: true } : {}) },
    // What policy and people see is what runs: for a listed command our own quoting, for any other one the client's text, which means the same.
    text: isExact ? reading.canonical : text,
    program: isExact ? { kind: 'exec', command: reading.canonical } : program,
    takesCommands,
  };
}

/** Nobody can tell of a program that it does not write; each request of sftp, and each copy, is looked at by itself. */
function mayWrite({ program, copy }: Meaning): boolean {
  return copy === undefined && !(program.kind === 'subsystem' && program.name === sftp);
}

function readOnly(): GatewayFault {
  return new GatewayFault('read-only', {
    publicMessage: 'this target is for reading only: files may be read over sftp, and no program may run',
  });
}

/** `command`, `program` and `argv` stand only where every shell runs exactly these words, so that no rule about them can be led astray. */
export function factsOf(reading: CommandReading): Facts {
  const { interpreters, writesFile, commands } = reading.facts;
  return {
    ...(reading.kind === 'simple'
      ? { command: reading.canonical, program: reading.argv[0] ?? '', argv: [...new Set(reading.argv)] }
      : { shell_syntax: reading.syntax }),
    commands,
    ...(interpreters.length === 0 ? {} : { interpreter: interpreters }),
    writes_file: writesFile,
  };
}

export const sftp = 'sftp';
const subsystemName = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
/** Of what is refused anyway. */
const longestObject = 256;

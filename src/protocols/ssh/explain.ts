import type { OpenSession } from '../../core/effect.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { Act, Facts } from '../../core/operation.ts';
import type { Program, Terminal } from './channel.ts';
import type { SshContext } from './context.ts';
import { forwardOperation, type ForwardRequest, type ForwardRule } from './forward.ts';
import { sshOperation } from './operation.ts';
import { askProgram } from './program.ts';

export interface SshMeaning {
  readonly acts: readonly Act[];
  readonly facts: Facts;
  readonly refusal: GatewayFault | undefined;
}

/**
 * What something that an SSH client may ask for would mean, told from one line alone: `exec <command line>`, `shell`, `sftp`, `subsystem <name>`, `forward <place>`,
 * `listen <place>`, `accept <place>` (a connection that comes to it), where a place is `<host>:<port>` or the path of a socket; in front of it `-t` for a terminal and `-l <user>` for another remote user. Without a line, what connecting means. Sends nothing.
 */
export function explainSsh(options: {
  readonly line: string | undefined;
  readonly target: OpenSession['target'];
  /** The target's own remote user. */
  readonly ownUser: string;
  readonly context: Pick<SshContext, 'classes' | 'settings' | 'sha256'>;
  readonly forwards: readonly ForwardRule[];
}): SshMeaning {
  const { line, target, ownUser, forwards } = options;
  const { classes, settings, sha256 } = options.context;
  const words = readLine(line ?? '');
  const remoteUser = words.user ?? ownUser;
  // Of a session only what asking needs: nothing is asked.
  const session = { id: '', target, nextOperationId: () => '' } as Pick<OpenSession, 'id' | 'target' | 'nextOperationId'> as OpenSession;
  const { detectors } = classes;
  const context: SshContext = {
    session,
    remoteUser,
    isOwnUser: remoteUser === ownUser,
    classes,
    detectors,
    recordDetectors: detectors,
    settings,
    sha256,
  };
  if (line === undefined) {
    const { acts, facts } = sshOperation(context, {
      acts: [{ action: 'connect', object: { type: 'Target', id: target.name } }],
      facts: {},
      text: '',
      exact: [],
    });
    return { acts, facts, refusal: undefined };
  }
  if (words.asked instanceof GatewayFault) return { acts: [], facts: {}, refusal: words.asked };
  if (isForward(words.asked)) {
    const { operation, refusal } = forwardOperation(context, words.asked, forwards);
    return { acts: operation.acts, facts: operation.facts, refusal };
  }
  const terminal = words.hasTerminal ? anyTerminal : undefined;
  const { question, refusal } = askProgram(context, words.asked, { environment: [], terminal, reason: undefined });
  const { acts, facts } = sshOperation(context, question);
  return { acts, facts, refusal };
}

interface Line {
  readonly hasTerminal: boolean;
  readonly user: string | undefined;
  readonly asked: Program | ForwardRequest | GatewayFault;
}

function readLine(line: string): Line {
  const [, options = '', kind = '', rest = ''] = /^\s*((?:-t\s+|-l\s+\S+\s+)*)(\S+)(?:\s([\s\S]*))?$/.exec(line) ?? [];
  const user = /-l\s+(\S+)/.exec(options)?.[1];
  return { hasTerminal: /(?:^|\s)-t\s/.test(options), user, asked: askedBy(kind, rest) };
}

function askedBy(kind: string, rest: string): Line['asked'] {
  if (kind === 'exec') return { kind: 'exec', command: rest };
  if (kind === 'shell' && rest.trim() === '') return { kind: 'shell' };
  if (kind === 'sftp' && rest.trim() === '') return { kind: 'subsystem', name: 'sftp' };
  if (kind === 'subsystem' && rest.trim() !== '') return { kind: 'subsystem', name: rest.trim() };
  const forward = kind === 'forward' || kind === 'listen' || kind === 'accept' ? forwardBy(kind, rest.trim()) : undefined;
  if (forward !== undefined) return forward;
  return new GatewayFault('unclassified', {
    publicMessage:
      'expected exec and a command line, shell, sftp, subsystem and a name, or forward, listen or accept and host:port or a path, behind -t or -l <user>',
  });
}

function forwardBy(kind: 'forward' | 'listen' | 'accept', place: string): ForwardRequest | undefined {
  const [, host = '', digits] = /^(.*):([0-9]{1,5})$/.exec(place) ?? [];
  const port = Number(digits);
  if (digits === undefined && !place.startsWith('/')) return undefined;
  if (kind === 'forward') return digits === undefined ? { kind: 'connect-socket', path: place } : { kind: 'connect', host, port };
  const listening = digits === undefined ? ({ kind: 'listen-socket', path: place } as const) : ({ kind: 'listen', host, port } as const);
  return kind === 'listen' ? listening : { kind, listening, port: digits === undefined ? undefined : port, from: undefined };
}

function isForward(asked: Program | ForwardRequest): asked is ForwardRequest {
  return asked.kind !== 'exec' && asked.kind !== 'shell' && asked.kind !== 'subsystem';
}

const anyTerminal: Terminal = { name: 'xterm', columns: 80, rows: 24, widthPixels: 0, heightPixels: 0, modes: new Uint8Array(0) };

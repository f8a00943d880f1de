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
 * What something that an SSH client may ask for would mean, told from one line alone: `exec <command line>`, `shell`, `sftp`, `subsystem <name>`, `forward <host>:<port>`,
 * `listen <host>:<port>`; in front of it `-t` for a terminal and `-l <user>` for another remote user. Without a line, what connecting means. Sends nothing.
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
  if (words.asked.kind === 'connect' || words.asked.kind === 'listen') {
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
  readonly asked: Program | Extract<ForwardRequest, { readonly host: string }> | GatewayFault;
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
  const [, host = '', port] = /^(.*):([0-9]{1,5})$/.exec(rest.trim()) ?? [];
  if (port !== undefined && (kind === 'forward' || kind === 'listen'))
    return { kind: kind === 'forward' ? 'connect' : 'listen', host, port: Number(port) };
  return new GatewayFault('unclassified', {
    publicMessage:
      'expected exec and a command line, shell, sftp, subsystem and a name, or forward or listen and host:port, behind -t or -l <user>',
  });
}

const anyTerminal: Terminal = { name: 'xterm', columns: 80, rows: 24, widthPixels: 0, heightPixels: 0, modes: new Uint8Array(0) };

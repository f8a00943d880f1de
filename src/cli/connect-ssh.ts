import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { IssuedToken } from '../api/schema.ts';
import { knownHostsLine } from '../identity/ssh-host-key.ts';
import { Failure } from './failure.ts';
import { keepFresh } from './keep-fresh.ts';
import { runClient } from './run-client.ts';
import { gatewayUrl } from './settings.ts';
import { issueSshKey, keyPath, writeSshKey, type IssuedSshKey } from './ssh-key.ts';
import type { TargetTokenOptions } from './target-token.ts';
import { note, print } from './terminal.ts';

export interface SshOptions extends TargetTokenOptions {
  /** Of the target; what its configuration says, where it is not given. */
  readonly user?: string;
  /** A terminal for the command. */
  readonly tty?: boolean;
  /** The words are a command of this machine. */
  readonly local?: boolean;
  /** Print lasting options instead. */
  readonly sshConfig?: boolean;
}

/**
 * Runs `ssh`, or a client that uses it, with a key of its own, the gateway's host key and nothing else of this machine's settings, and resolves with its exit code.
 * The key is renewed while the client runs, and removed with everything else when it ends.
 */
export async function connectSsh(target: string, words: readonly string[], options: SshOptions): Promise<number> {
  const key = await issueSshKey(target, options);
  const place = placeOf(key.issued, target, options);
  if (options.sshConfig === true) {
    print((await lastingConfig(place, target, options)).trimEnd());
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-ssh-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const [config, identity, knownHosts] = [join(folder, 'config'), join(folder, 'key'), join(folder, 'known_hosts')];
  let stop = (): void => {};
  try {
    writeSshKey(identity, key.pair);
    writeFileSync(knownHosts, `${place.knownHosts}\n`, { mode: 0o600 });
    writeFileSync(config, `Host ${target}\n${block(place, identity, [`UserKnownHostsFile "${knownHosts}"`])}`, { mode: 0o600 });
    stop = keepFresh(key.issued, () => renew(target, options, identity), note);
    const command = options.local === true ? localCommand(words, config) : sshCommand(words, config, target, options);
    return await runClient(command, environment(config));
  } finally {
    stop();
    remove();
    process.off('exit', remove);
  }
}

/** `remote-user+target`, as clients write it in front of the gateway's name, or the target alone. */
export function splitTarget(text: string): { readonly target: string; readonly user: string | undefined } {
  const at = text.lastIndexOf('+');
  return at < 0 ? { target: text, user: undefined } : { target: text.slice(at + 1), user: text.slice(0, at) };
}

interface Place {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly knownHosts: string;
}

function placeOf({ connection }: IssuedSshKey['issued'], target: string, { user }: SshOptions): Place {
  if (connection === undefined) throw new Failure(`the gateway has no listener for ${target}`, { hint: 'ask its operator' });
  const { host, port, name, host_key: hostKey } = connection;
  if (hostKey === undefined) throw new Failure('the gateway does not say its host key', { hint: 'is it as new as this program?' });
  return { host, port, user: user === undefined ? name : `${user}+${name}`, knownHosts: knownHostsLine(host, port, hostKey) };
}

/** ssh_config(5). The first value for each option wins, so nothing that stands elsewhere changes these. */
function block({ host, port, user }: Place, identity: string, others: readonly string[]): string {
  const lines = [
    `HostName ${host}`,
    `Port ${port}`,
    `User ${user}`,
    `IdentityFile "${identity}"`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    'PreferredAuthentications publickey',
    'GlobalKnownHostsFile /dev/null',
    'StrictHostKeyChecking yes',
    'UpdateHostKeys no',
    // The gateway's banner is for people who came by themselves.
    'LogLevel ERROR',
    ...others,
  ];
  return lines.map((line) => `  ${line}\n`).join('');
}

/** For `~/.ssh/config`: this program is asked for a new key whenever a client is about to connect. Holds no secret. */
async function lastingConfig(place: Place, target: string, options: SshOptions): Promise<string> {
  const { tokenFile, audience } = options;
  const identity = keyPath(target, undefined);
  const url = await gatewayUrl(options.url);
  const asked = ['sallyport', 'token', '--target', target, '--ssh', '--out', identity, '--url', url]
    .concat(tokenFile === undefined ? [] : ['--token-file', tokenFile])
    .concat(audience === undefined ? [] : ['--audience', audience])
    .map(shellWord)
    .join(' ');
  // Percent signs would be expanded (ssh_config(5), "TOKENS").
  const command = asked.replaceAll('%', '%%');
  if (command.includes('"')) throw new Failure('a name with a quotation mark cannot stand in ssh_config', { hint: 'use other names' });
  const known = [`KnownHostsCommand /bin/echo ${place.knownHosts}`, 'UserKnownHostsFile /dev/null'];
  return `Match originalhost ${target} exec "${command}"\n${block(place, identity, known)}`;
}

async function renew(target: string, options: SshOptions, identity: string): Promise<IssuedToken> {
  const { issued, pair } = await issueSshKey(target, options);
  writeSshKey(identity, pair);
  return issued;
}

function sshCommand(words: readonly string[], config: string, target: string, { tty }: SshOptions): readonly string[] {
  return ['ssh', '-F', config, ...(tty === true ? ['-t'] : []), target, ...(words.length === 0 ? [] : ['--', ...words])];
}

/** Those that read no variable get the option. */
function localCommand(words: readonly string[], config: string): readonly string[] {
  const [program = '', ...args] = words;
  if (program === '') throw new Failure('which program of this machine?', { hint: 'for example: -- scp file web-1:/tmp/', exitCode: 2 });
  return ['ssh', 'scp', 'sftp'].includes(basename(program)) ? [program, '-F', config, ...args] : words;
}

/** What programs read that run `ssh` themselves. */
function environment(config: string): Readonly<Record<string, string | undefined>> {
  const ssh = `ssh -F '${config}'`;
  return {
    SALLYPORT_SSH_CONFIG: config,
    GIT_SSH_COMMAND: ssh,
    RSYNC_RSH: ssh,
    ANSIBLE_SSH_ARGS: `-F '${config}'`,
    SSH_AUTH_SOCK: undefined,
  };
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

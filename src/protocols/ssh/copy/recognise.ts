import { GatewayFault } from '../../../core/fault.ts';
import type { ActionName } from '../../../core/operation.ts';
import { maskProse } from '../../../masking/text.ts';
import { targetObject } from '../acts.ts';
import type { SshContext } from '../context.ts';
import type { Copy } from '../running.ts';
import { fileActs } from '../sftp/operation.ts';
import { canonicalPath, FileObjects } from '../sftp/path.ts';
import { sftpSession } from '../sftp/session.ts';
import { OpaqueSession } from './opaque-session.ts';
import { ScpSession } from './scp-session.ts';

/**
 * A command that moves files, as scp, rsync and git run it at a server, by its words. Only forms of which everything is known: an option that is not, or that names another
 * program or file, makes it a command like any other (undefined). Paths are taken as their text says; what links there are on the server, these programs alone know.
 */
export function recogniseCopy(argv: readonly string[]): Copy | undefined {
  const [program = '', ...words] = argv;
  if (sftpServers.has(program) && words.length === 0) return sftpCopy;
  switch (program.startsWith('/usr/bin/') ? program.slice('/usr/bin/'.length) : program) {
    case 'scp':
      return scpCopy(words);
    case 'rsync':
      return rsyncCopy(words);
    case 'git':
      return gitCopy(`git-${words[0] ?? ''}`, words.slice(1));
    case 'git-upload-pack':
    case 'git-upload-archive':
    case 'git-receive-pack':
      return gitCopy(program.replace(/^.*\//, ''), words);
    default:
      return undefined;
  }
}

/** Where relative paths begin. */
export function homeOf({ settings }: SshContext): string {
  return settings.home ?? '/~';
}

interface CopyParts {
  readonly transfer: 'scp' | 'rsync' | 'git';
  readonly paths: readonly string[];
  readonly actions: readonly ActionName[];
  readonly session: Copy['session'];
}

function copyOf({ transfer, paths, actions, session }: CopyParts): Copy {
  const writes = actions.some((action) => action !== 'ssh:read-file');
  return {
    acts(context) {
      const objects = new FileObjects(context.session.target.name);
      const canonical = paths.map((path) => canonicalPath(path, homeOf(context)));
      return fileActs(objects, canonical, ...actions);
    },
    facts: { transfer },
    refusal(context) {
      if (writes && context.session.target.readOnly === true)
        return new GatewayFault('read-only', { publicMessage: `target ${context.session.target.name} is read-only` });
      if (transfer === 'scp' || context.detectors.isEmpty || context.settings.opaqueTransfers === true) return undefined;
      return new GatewayFault('masking-refused', {
        publicMessage: `what is hidden from you could not be found in a stream of ${transfer}`,
        hint: 'Use sftp or scp, or ask for a policy that reveals the data classes, or for unsafe_opaque_transfers on this target.',
      });
    },
    session,
  };
}

const sftpCopy: Copy = {
  acts: (context) => [{ action: 'ssh:sftp', object: targetObject(context.session.target.name) }],
  facts: { transfer: 'sftp' },
  refusal: () => undefined,
  session: sftpSession,
};

/** `scp -t path` takes files in, `scp -f path…` gives them out (OpenSSH's scp.c). */
function scpCopy(words: readonly string[]): Copy | undefined {
  const { options, operands } = split(words);
  const letters = options.map((option) => option.slice(1)).join('');
  if (!options.every((option) => /^-[vqrpdtf]+$/.test(option)) || operands.some((path) => path === '')) return undefined;
  const has = (letter: string): boolean => letters.includes(letter);
  if (has('t') === has('f') || (has('t') ? operands.length !== 1 : operands.length === 0)) return undefined;
  const kept = has('p') ? (['ssh:write-file', 'ssh:set-file-attributes'] as const) : (['ssh:write-file'] as const);
  return copyOf({
    transfer: 'scp',
    paths: operands,
    actions: has('t') ? kept : ['ssh:read-file'],
    session: (parts) =>
      new ScpSession(
        parts,
        has('t') ? 'upload' : 'download',
        operands.map((path) => canonicalPath(path, homeOf(parts.context))),
      ),
  });
}

/** As rsync calls itself at the other end: `rsync --server [--sender] -letters --options . path…`. */
function rsyncCopy(words: readonly string[]): Copy | undefined {
  const dot = words.indexOf('.');
  const paths = words.slice(dot + 1);
  const options = words.slice(0, Math.max(0, dot));
  if (options[0] !== '--server' || paths.length === 0 || paths.some((path) => path === '' || path.startsWith('-'))) return undefined;
  if (!options.every((option) => isRsyncOption(option))) return undefined;
  const sends = options.includes('--sender');
  const removes = options.some((option) => option.startsWith('--delete') || option === '--remove-source-files' || option === '--force');
  const actions: ActionName[] = sends ? ['ssh:read-file'] : ['ssh:write-file', 'ssh:set-file-attributes'];
  if (removes) actions.push('ssh:remove-file', 'ssh:remove-folder');
  return copyOf({ transfer: 'rsync', paths, actions, session: (parts) => opaque(parts, `rsync ${paths.join(' ')}`) });
}

/**
 * Letters, up to `e.` and what the client is able to do behind it; none of them is `s` (paths that come in the stream), nor `e` for a program. Long options that name no file, no
 * folder and no program.
 */
function isRsyncOption(option: string): boolean {
  if (option.startsWith('--')) return rsyncOptions.test(option);
  return /^-[vlogDtprcuxzHAXSnRWLkKIJOydmbE]*(?:e[0-9]*\.[A-Za-z]*)?$/.test(option);
}

/** `path` is tried with `.git` behind it, too (git's path.c, `enter_repo`). */
function gitCopy(program: string, words: readonly string[]): Copy | undefined {
  const [path = ''] = words;
  if (!['git-upload-pack', 'git-upload-archive', 'git-receive-pack'].includes(program)) return undefined;
  if (words.length !== 1 || path === '' || path.startsWith('-') || (path.startsWith('~') && !path.startsWith('~/') && path !== '~'))
    return undefined;
  const own = path.startsWith('~') ? `.${path.slice(1)}` : path;
  const paths = own.endsWith('.git') ? [own] : [own, `${own.replace(/\/+$/, '')}.git`];
  const action = program === 'git-receive-pack' ? 'ssh:write-file' : 'ssh:read-file';
  return copyOf({ transfer: 'git', paths, actions: [action], session: (parts) => opaque(parts, `${program} ${path}`) });
}

function opaque(parts: Parameters<Copy['session']>[0], what: string): OpaqueSession {
  const { classes, recordDetectors } = parts.context;
  return new OpaqueSession(parts, maskProse(classes, recordDetectors, what));
}

/** Options first, then operands, which `--` may part. */
function split(words: readonly string[]): { readonly options: readonly string[]; readonly operands: readonly string[] } {
  const at = words.findIndex((word) => word === '--' || !word.startsWith('-') || word === '-');
  if (at < 0) return { options: words, operands: [] };
  return { options: words.slice(0, at), operands: words.slice(words[at] === '--' ? at + 1 : at) };
}

const sftpServers: ReadonlySet<string> = new Set([
  '/usr/lib/openssh/sftp-server',
  '/usr/lib/sftp-server',
  '/usr/lib/ssh/sftp-server',
  '/usr/libexec/openssh/sftp-server',
  '/usr/libexec/sftp-server',
]);
const rsyncOptions =
  /^--(?:server|sender|numeric-ids|delete(?:-before|-during|-delay|-after|-excluded)?|force|ignore-errors|partial|inplace|append|append-verify|existing|ignore-existing|size-only|no-implied-dirs|safe-links|copy-unsafe-links|stats|progress|delay-updates|prune-empty-dirs|remove-source-files|preallocate|sparse|mkpath|no-(?:r|p|t|o|g|D|l|W|whole-file|specials|devices)|(?:checksum-seed|timeout|contimeout|bwlimit|max-size|min-size|max-delete|modify-window|compress-level|compress-choice|checksum-choice|block-size|info|debug|log-format|out-format|max-alloc)=[A-Za-z0-9%.,_+ -]*)$/;

import type { CommandFacts } from './reading.ts';

/** What is known of the programs of command lines (each: program, words), by the last part of their paths. A program may run others without standing here. */
export function programFacts(lines: readonly (readonly string[])[]): CommandFacts {
  const commands = new Set<string>();
  const interpreters = new Set<string>();
  let writesFile = false;
  for (const [program = '', ...words] of lines) {
    if (program === '') continue;
    commands.add(program);
    const name = nameOf(program);
    if (interpreterReason(name, words) !== undefined) interpreters.add(name);
    writesFile ||= isWriter(name, words);
  }
  return { commands: [...commands], interpreters: [...interpreters].toSorted(), writesFile };
}

/** Why a program counts as one that runs other text or other programs; undefined where it does not. */
export function interpreterReason(name: string, words: readonly string[]): string | undefined {
  const known = reasonByName.get(name) ?? reasonByName.get(name.replace(/[-.]?[0-9][0-9.]*$/, ''));
  if (known !== undefined) return known;
  const options = runsWith.get(name);
  return options !== undefined && words.some((word) => options.some((option) => word === option || word.startsWith(`${option}=`)))
    ? 'runs what an option names'
    : undefined;
}

function isWriter(name: string, words: readonly string[]): boolean {
  if (writers.has(name)) return true;
  if (name === 'find') return words.some((word) => word === '-delete' || word.startsWith('-fprint') || word === '-fls');
  if (name === 'dd') return words.some((word) => word.startsWith('of='));
  if (name === 'sed' || name === 'perl') return words.some((word) => /^-[a-zA-Z]*i/.test(word) || word.startsWith('--in-place'));
  return false;
}

function nameOf(program: string): string {
  return program.slice(program.lastIndexOf('/') + 1);
}

const reasonByName: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'is a shell': 'sh bash dash ash ksh mksh zsh csh tcsh fish rbash busybox toybox posh yash rc nu pwsh',
    'is built into shells and runs text': 'eval . source exec command builtin trap alias enable fc hash',
    'runs programs in its own language':
      'python pypy perl ruby node nodejs deno bun php lua luajit tclsh wish expect guile R Rscript java jshell scala erl elixir ghci ocaml swipl octave julia awk gawk mawk nawk bc dc m4 jq sed',
    'runs another program':
      'env xargs nohup timeout nice ionice chrt taskset stdbuf setsid setpriv time watch parallel flock script scriptreplay unshare nsenter chroot pivot_root ip systemd-run systemd-nspawn runcon capsh firejail bwrap proot fakeroot strace ltrace gdb lldb perf valgrind at batch crontab run-parts start-stop-daemon logrotate socat nc ncat openvpn ld.so ld-linux.so ld-linux-x86-64.so rsh entr unbuffer rlwrap logsave dbus-run-session xvfb-run',
    'runs a command as someone else, or elsewhere':
      'sudo su doas runuser pkexec sg newgrp ssh sshpass mosh scp sftp rsync docker podman nerdctl ctr crictl kubectl oc virsh lxc machinectl salt ansible ansible-playbook pssh',
    'has an escape to a shell':
      'vi vim view nvim ex ed emacs nano pico less more most man info ftp lftp telnet psql mysql mariadb sqlite3 sqlplus mongo mongosh redis-cli screen tmux top htop crash mutt mail mailx nmap tcpdump visudo vipw git hg svn make gmake cmake ninja rake gcc cc pip npm npx gem bundle composer cpan apt apt-get dpkg rpm yum dnf snap puppet chef-client terraform',
  }).flatMap(([reason, names]) => names.split(' ').map((name) => [name, reason] as const)),
);

/** Programs that run others only where an option says so. */
const runsWith: ReadonlyMap<string, readonly string[]> = new Map([
  ['find', ['-exec', '-execdir', '-ok', '-okdir']],
  [
    'tar',
    ['-I', '-F', '--to-command', '--checkpoint-action', '--use-compress-program', '--info-script', '--new-volume-script', '--rsh-command'],
  ],
  ['zip', ['-T', '-TT', '--unzip-command']],
  ['split', ['--filter']],
  ['sort', ['--compress-program']],
  ['curl', ['-K', '--config']],
  ['wget', ['--use-askpass']],
  ['systemctl', ['edit']],
]);

const writers: ReadonlySet<string> = new Set(
  'tee cp mv rm ln install truncate touch mkdir rmdir mkfifo mknod chmod chown chgrp unlink shred rsync scp sftp tar unzip gunzip gzip bzip2 xz zstd patch split csplit ed ex vi vim nano visudo vipw mkfs fdisk parted wipefs'.split(
    ' ',
  ),
);

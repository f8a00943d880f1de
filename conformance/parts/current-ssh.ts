import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { downloadFromRelease } from './debian-source.ts';

/** SSH programs that are newer than this machine's, in a folder for PATH, with libraries of their own. */
export interface CurrentSsh {
  /** `ssh`, `scp`, `sftp`, `ssh-keygen`, `plink`, `puttygen`, `dbclient`. */
  readonly path: string;
  readonly sshd: string;
  /** Lines of sshd_config(5) by which it finds its own parts. */
  readonly sshdConfig: readonly string[];
  /** `OpenSSH_10.0p2` */
  readonly version: string;
}

/**
 * OpenSSH, PuTTY and Dropbear of Debian 13, which run here whatever release this is; downloaded below ~/.cache/sallyport where they are missing. Nobody needs to be root, and
 * nothing is installed. A string: why there are none, as where the archive is out of reach.
 */
export function currentSsh(): CurrentSsh | string {
  const folder = join(homedir(), '.cache', 'sallyport', `ssh-${release}-1`);
  if (!existsSync(folder)) {
    const scratch = `${folder}.${process.pid}`;
    try {
      download(scratch, folder);
    } catch (error) {
      return `OpenSSH of Debian ${release} could not be downloaded: ${(error as Error).message}`;
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }
  const at = (name: string): string => join(folder, 'path', name);
  const { stderr } = spawnSync(at('ssh'), ['-V'], { encoding: 'utf8' });
  return {
    path: join(folder, 'path'),
    sshd: at('sshd'),
    sshdConfig: [`SshdSessionPath ${at('sshd-session')}`, `SshdAuthPath ${at('sshd-auth')}`],
    version: stderr.split(' ', 1)[0]!,
  };
}

function download(scratch: string, folder: string): void {
  mkdirSync(scratch, { recursive: true });
  process.stdout.write(`downloading OpenSSH of Debian ${release}\n`);
  const { folder: files, files: names } = downloadFromRelease({ folder: join(scratch, 'download'), release, packages });
  const unpacked = join(scratch, 'unpacked');
  for (const name of names) {
    const { status, stderr } = spawnSync('dpkg-deb', ['-x', join(files, name), unpacked], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`dpkg-deb could not unpack ${name}:\n${stderr}`);
  }
  mkdirSync(join(unpacked, 'path'));
  for (const program of programs) writeProgram(unpacked, folder, program);
  try {
    renameSync(unpacked, folder);
  } catch (error) {
    // Another process was faster.
    if (!existsSync(folder)) throw error;
  }
}

/** Starts it with its own loader and libraries, which nothing that it starts takes over. */
function writeProgram(unpacked: string, folder: string, program: string): void {
  const name = program.slice(program.lastIndexOf('/') + 1);
  const libraries = readdirSync(join(unpacked, 'usr/lib')).find((entry) => entry.endsWith('-linux-gnu'))!;
  const loader = readdirSync(join(unpacked, 'usr/lib', libraries)).find((entry) => entry.startsWith('ld-linux'))!;
  const at = join(folder, 'usr/lib', libraries);
  // Those two start ssh by a path that is built in.
  const own = name === 'scp' || name === 'sftp' ? `-S ${join(folder, 'path', 'ssh')} ` : '';
  const file = join(unpacked, 'path', name);
  writeFileSync(file, `#!/bin/sh\nexec ${join(at, loader)} --library-path ${at} ${join(folder, program)} ${own}"$@"\n`);
  chmodSync(file, 0o755);
}

const release = 'trixie';

const programs = [
  'usr/bin/ssh',
  'usr/bin/scp',
  'usr/bin/sftp',
  'usr/bin/ssh-keygen',
  'usr/sbin/sshd',
  'usr/lib/openssh/sshd-session',
  'usr/lib/openssh/sshd-auth',
  'usr/bin/plink',
  'usr/bin/puttygen',
  'usr/bin/dbclient',
];

const packages = [
  'openssh-client',
  'openssh-server',
  'putty-tools',
  'dropbear-bin',
  // What these load.
  'libaudit1',
  'libc6',
  'libcap-ng0',
  'libcap2',
  'libcbor0.10',
  'libcom-err2',
  'libcrypt1',
  'libedit2',
  'libbsd0',
  'libmd0',
  'libtinfo6',
  'libfido2-1',
  'libgcc-s1',
  'libgssapi-krb5-2',
  'libk5crypto3',
  'libkeyutils1',
  'libkrb5-3',
  'libkrb5support0',
  'libpam0g',
  'libpcre2-8-0',
  'libselinux1',
  'libsqlite3-0',
  'libssl3t64',
  'libsystemd0',
  'libtomcrypt1',
  'libtommath1',
  'libudev1',
  'libwrap0',
  'libwtmpdb0',
  'libzstd1',
  'zlib1g',
];

import { spawnSync } from 'node:child_process';

/** Real counterparts that tests run against, as Debian packages. Installed when they are missing and this is root on Debian, all at once: two test files that install wait for no lock. */
export const testPackages: readonly string[] = [
  'postgresql-15',
  'python3',
  'python3-psycopg',
  'python3-psycopg2',
  'python3-asyncpg',
  'python3-protobuf',
  'libpostgresql-jdbc-java',
  'openjdk-17-jdk-headless',
  'nginx',
  'curl',
  'haproxy',
  'python3-grpcio',
  'python3-protobuf',
  'python3-azure-cosmos',
  'python3-kubernetes',
  'openssl',
  'wget',
  'python3-botocore',
  'python3-requests',
  'python3-websockets',
  'openssh-client',
  'openssh-server',
  'openssh-sftp-server',
  'sshpass',
  'asciinema',
  'rsync',
  'git',
  'python3-paramiko',
  'python3-asyncssh',
  'dash',
  'busybox',
  'zsh',
  'mksh',
  'ksh93u+m',
  'fish',
  'tcsh',
];

/** What `npm run bench` compares with. */
export const benchPackages: readonly string[] = ['postgresql-15', 'pgbouncer', 'haproxy', 'nginx', 'nghttp2-client'];

/** Installs what is missing. Throws, saying what to install, where that cannot be done here. */
export function ensureDebian(packages: readonly string[]): void {
  const missing = packages.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const byHand = `install them first: apt-get install ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) {
    throw new Error(`tests need Debian packages that are missing here; ${byHand}`);
  }
  process.stdout.write(`installing ${missing.join(' ')}\n`);
  apt(['update']);
  apt(['install', '-y', '--no-install-recommends', ...missing]);
  const still = missing.filter((name) => !isInstalled(name));
  if (still.length > 0) throw new Error(`could not install ${still.join(', ')}; ${byHand}`);
}

function isInstalled(name: string): boolean {
  const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f', '${Status}', name], { encoding: 'utf8' });
  return status === 0 && stdout.includes('install ok installed');
}

function apt(parameters: readonly string[]): void {
  // Another apt may be at work just then.
  const { status, stderr, stdout } = spawnSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...parameters], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0) throw new Error(`apt-get ${parameters[0]} failed:\n${stdout}\n${stderr}`);
}

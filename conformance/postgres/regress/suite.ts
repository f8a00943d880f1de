import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { downloadDebian, installedVersion } from '../../parts/debian-source.ts';

/** PostgreSQL's own regression suite, of the very version of the server that is installed here. */
export interface Suite {
  /** Version of the Debian package. */
  readonly version: string;
  /** `sql`, `expected`, `data`, `parallel_schedule`. */
  readonly folder: string;
  /** The suite's C functions, compiled. */
  readonly libraries: string;
  /** In the order in which they run; tests of one parallel group one after the other. */
  readonly tests: readonly string[];
}

/** Packages that running it takes. `gcc` compiles the suite's C functions. */
export const suitePackages = ['postgresql-15', 'gcc', 'libc6-dev', 'bzip2', 'diffutils'];

/** From the cache, or downloaded and compiled: takes a minute the first time. */
export function provideSuite(progress: (step: string) => void): Suite {
  const version = installedVersion('postgresql-15');
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'sallyport');
  const home = join(cache, `regress-${version}`);
  if (!existsSync(home)) {
    mkdirSync(cache, { recursive: true });
    const building = mkdtempSync(join(cache, 'building-'));
    try {
      build(building, version, progress);
      renameSync(join(building, 'suite'), home);
    } finally {
      rmSync(building, { recursive: true, force: true });
    }
  }
  const folder = join(home, 'regress');
  return { version, folder, libraries: join(home, 'libraries'), tests: scheduled(readFileSync(join(folder, 'parallel_schedule'), 'utf8')) };
}

/** The lines `test: name name …` of a schedule. */
export function scheduled(schedule: string): readonly string[] {
  return schedule
    .split('\n')
    .flatMap((line) => (line.startsWith('test:') ? line.slice('test:'.length).trim().split(/\s+/) : []))
    .filter((name) => name !== '');
}

function build(folder: string, version: string, progress: (step: string) => void): void {
  progress(`downloading the source of PostgreSQL ${version}`);
  const development = 'postgresql-server-dev-15';
  // Unpacked beside the machine, not installed: it would bring a compiler of its own with it.
  const found = downloadDebian({ folder, source: 'postgresql-15', binaries: [development], version });
  const fileNamed = (pattern: RegExp): string => {
    const name = found.files.find((file) => pattern.test(file));
    if (name === undefined) throw new Error(`the source package holds no ${String(pattern)}`);
    return join(found.folder, name);
  };
  progress('unpacking the regression suite');
  const source = join(folder, 'source');
  const headers = join(folder, 'headers');
  const suite = join(folder, 'suite');
  for (const path of [source, suite, join(suite, 'libraries')]) mkdirSync(path, { recursive: true });
  const wanted = ['*/src/test/regress/*', '*/contrib/spi/*.c'];
  run('tar', ['-x', '-f', fileNamed(/\.orig\.tar\.(bz2|xz|gz)$/), '-C', source, '--strip-components=1', '--wildcards', ...wanted]);
  run('dpkg-deb', ['-x', fileNamed(/^postgresql-server-dev-15_.*\.deb$/), headers]);
  progress('compiling its C functions');
  const include = ['usr/include/postgresql/15/server', 'usr/include/postgresql'].map((path) => `-I${join(headers, path)}`);
  for (const [name, path] of cSources) {
    const flags = ['-O2', '-fPIC', '-shared', '-fno-strict-aliasing', '-fwrapv', ...include];
    run('gcc', [...flags, '-o', join(suite, 'libraries', `${name}.so`), join(source, path)]);
  }
  cpSync(join(source, 'src/test/regress'), join(suite, 'regress'), { recursive: true });
}

function run(command: string, parameters: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, parameters, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr}`);
}

/** As `src/test/regress/GNUmakefile` lists them. */
const cSources = [
  ['regress', 'src/test/regress/regress.c'],
  ['refint', 'contrib/spi/refint.c'],
  ['autoinc', 'contrib/spi/autoinc.c'],
] as const;

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DebianDownload {
  /** The archives of the source package, and the .deb files that were asked for, all in one folder. */
  readonly folder: string;
  readonly files: readonly string[];
}

/** The version of a package that is installed here. Throws where none is. */
export function installedVersion(name: string): string {
  const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f', '${Version}', name], { encoding: 'utf8' });
  if (status !== 0 || stdout === '') throw new Error(`${name} is not installed`);
  return stdout;
}

/**
 * Downloads a source package and binary packages of exactly this version from the Debian archives that this machine uses. apt keeps all
 * its state in `folder`, so that the machine's own lists stay as they are and nobody needs to be root.
 */
export function downloadDebian(options: {
  readonly folder: string;
  readonly source: string;
  readonly binaries: readonly string[];
  readonly version: string;
}): DebianDownload {
  const { folder, source, binaries, version } = options;
  const [apt, files] = [join(folder, 'apt'), join(folder, 'downloads')];
  for (const path of [join(apt, 'lists/partial'), join(apt, 'cache/archives/partial'), files]) mkdirSync(path, { recursive: true });
  const list = join(apt, 'sources.list');
  writeFileSync(list, sources());
  const flags = [
    `Dir::Etc::sourcelist=${list}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${join(apt, 'lists')}`,
    `Dir::Cache=${join(apt, 'cache')}`,
    'APT::Sandbox::User=root',
  ].flatMap((flag) => ['-o', flag]);
  const get = (...parameters: string[]): void => {
    const { status, stderr } = spawnSync('apt-get', ['-q', ...flags, ...parameters], { cwd: files, encoding: 'utf8' });
    if (status !== 0) throw new Error(`apt-get ${parameters.join(' ')} failed:\n${stderr}`);
  };
  get('update');
  get('source', '--download-only', '--only-source', `${source}=${version}`);
  if (binaries.length > 0) get('download', ...binaries.map((name) => `${name}=${version}`));
  return { folder: files, files: readdirSync(files).sort() };
}

/** The machine's own Debian archives, with their sources. */
function sources(): string {
  const format = '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)';
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'], { encoding: 'utf8' });
  const archives = stdout.split('\n').filter((line) => line.endsWith(' Debian'));
  if (archives.length === 0) throw new Error('apt knows no archive of Debian on this machine; run apt-get update first');
  return [...new Set(archives)]
    .map((line) => line.slice(0, -' Debian'.length))
    .flatMap((archive) => [`deb ${archive}\n`, `deb-src ${archive}\n`])
    .join('');
}

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
  const { files, get } = aptIn(
    folder,
    archives().flatMap((archive) => [`deb ${archive}`, `deb-src ${archive}`]),
  );
  get('source', '--download-only', '--only-source', `${source}=${version}`);
  if (binaries.length > 0) get('download', ...binaries.map((name) => `${name}=${version}`));
  return { folder: files, files: readdirSync(files).sort() };
}

/**
 * Downloads binary packages (`name` or `name=version`), or the archives of a source package, from this release of Debian, whichever release this
 * machine has.
 */
export function downloadFromRelease(options: {
  readonly folder: string;
  readonly release: string;
  readonly packages: readonly string[];
  readonly source?: string;
}): DebianDownload {
  const { folder, release, packages, source } = options;
  const mirror = archives()
    .map((archive) => archive.split(' ')[0]!)
    .find((address) => /\/debian\/?$/.test(address));
  if (mirror === undefined) throw new Error('apt knows no mirror of Debian on this machine');
  const place = `[signed-by=${debianKeys}] ${mirror} ${release} main`;
  const { files, get } = aptIn(folder, [`deb ${place}`, ...(source === undefined ? [] : [`deb-src ${place}`])]);
  if (packages.length > 0) get('download', ...packages);
  if (source !== undefined) get('source', '--download-only', '--only-source', source);
  return { folder: files, files: readdirSync(files).sort() };
}

/** apt with all its state in a folder, and these archives. `files`: where it puts what it downloads. */
function aptIn(folder: string, lines: readonly string[]): { readonly files: string; readonly get: (...parameters: string[]) => void } {
  const [apt, files] = [join(folder, 'apt'), join(folder, 'downloads')];
  for (const path of [join(apt, 'lists/partial'), join(apt, 'cache/archives/partial'), files]) mkdirSync(path, { recursive: true });
  const list = join(apt, 'sources.list');
  writeFileSync(list, lines.map((line) => `${line}\n`).join(''));
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
  return { files, get };
}

/** The machine's own Debian archives: address, release and component of each. */
function archives(): readonly string[] {
  const format = '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)';
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'], { encoding: 'utf8' });
  const found = (stdout ?? '').split('\n').filter((line) => line.endsWith(' Debian'));
  if (found.length === 0) throw new Error('apt knows no archive of Debian on this machine; run apt-get update first');
  return [...new Set(found)].map((line) => line.slice(0, -' Debian'.length));
}

const debianKeys = '/usr/share/keyrings/debian-archive-keyring.gpg';

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { downloadFromRelease } from './debian-source.ts';

/** `1.32` begins its streams with WebSockets and falls back to SPDY; `1.20` knows SPDY alone. */
export type KubectlVersion = '1.32' | '1.20';

export const kubectlVersions: readonly KubectlVersion[] = ['1.32', '1.20'];

/** The program, downloaded from Debian below ~/.cache/sallyport where it is missing. Nobody needs to be root. */
export function kubectl(version: KubectlVersion): string {
  const { name, release, debian, sha256 } = packages[version];
  const folder = join(homedir(), '.cache', 'sallyport', `kubectl-${debian}`);
  const program = join(folder, 'usr', 'bin', 'kubectl');
  if (existsSync(program)) return program;
  const wanted = sha256[process.arch];
  if (wanted === undefined) throw new Error(`tests know no kubectl for ${process.arch}`);
  const scratch = `${folder}.${process.pid}`;
  try {
    mkdirSync(scratch, { recursive: true });
    process.stdout.write(`downloading kubectl ${version}\n`);
    const { folder: files, files: names } = downloadFromRelease({
      folder: join(scratch, 'download'),
      release,
      packages: [`${name}=${debian}`],
    });
    const archive = join(files, names.find((file) => file.endsWith('.deb')) ?? '');
    const found = createHash('sha256').update(readFileSync(archive)).digest('hex');
    if (found !== wanted) throw new Error(`kubectl ${version} has the digest ${found}, expected ${wanted}`);
    const unpacked = join(scratch, 'unpacked');
    const { status, stderr } = spawnSync('dpkg-deb', ['-x', archive, unpacked], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`dpkg-deb could not unpack kubectl ${version}:\n${stderr}`);
    try {
      renameSync(unpacked, folder);
    } catch (error) {
      // Another process was faster.
      if (!existsSync(program)) throw error;
    }
    return program;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

interface Package {
  readonly name: string;
  readonly release: string;
  readonly debian: string;
  readonly sha256: Readonly<Partial<Record<string, string>>>;
}

const packages: Readonly<Record<KubectlVersion, Package>> = {
  '1.32': {
    name: 'kubectl',
    release: 'trixie',
    debian: '1.32.3+ds-2',
    sha256: {
      x64: '9825aaf4c14913027aae04af8688e580459f781c829bd5de00cc4dc2cc5a867f',
      arm64: 'b85800b5e2d2ecc958e2b9dfa7d4ce13b14e1175242de1f71acb4fa4b0b63212',
    },
  },
  '1.20': {
    name: 'kubernetes-client',
    release: 'bookworm',
    debian: '1.20.5+really1.20.2-1.1+deb12u1',
    sha256: {
      x64: '087c42dc26c847740043cdaa8b16db666be5591a1da957f822922aa1b677494e',
      arm64: 'a80869df8ac3c5a5b17056a049a6b9b4ad9b521ff331d99d6362ee6a6fef6d02',
    },
  },
};

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import { ensureDebian } from '../../parts/debian.ts';
import { downloadFromRelease, type DebianDownload } from '../../parts/debian-source.ts';

/** Programs of Kubernetes, compiled from Debian's source package, and of Debian what they stand on. */
export interface RealPrograms {
  /** Of Kubernetes, such as `1.20.2`. */
  readonly version: string;
  readonly etcd: string;
  readonly apiServer: string;
  readonly controllerManager: string;
  readonly kubelet: string;
  /** The files of containerd, runc, and a busybox that needs no library. */
  readonly node: string;
}

export interface BuildOptions {
  readonly progress: (step: string) => void;
  /** Ends what is being compiled. What was compiled so far is kept, and the next run goes on from there. */
  readonly onInterrupt: (close: () => Promise<void>) => void;
}

/**
 * From the cache, or downloaded and compiled, which takes up to half an hour the first time. The tree has all it depends on in `vendor`, and is compiled as
 * its authors did at its time, in GOPATH mode. Nobody needs to be root, but for the tools with which it is unpacked.
 */
export async function realPrograms({ progress, onInterrupt }: BuildOptions): Promise<RealPrograms> {
  const home = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'sallyport', `kubernetes-${debianVersion}`);
  const bin = join(home, 'bin');
  const node = join(home, 'node');
  if ([node, ...['etcd', ...COMPILED].map((name) => join(bin, name))].some((path) => !existsSync(path))) {
    ensureDebian(['dpkg-dev', 'patch', 'xz-utils']);
    mkdirSync(bin, { recursive: true });
    const running = new Running();
    onInterrupt(() => running.stop());
    await new Build(home, progress, running).all();
  }
  const at = (name: string): string => join(bin, name);
  const [apiServer, controllerManager] = [at('kube-apiserver'), at('kube-controller-manager')];
  return { version, etcd: at('etcd'), apiServer, controllerManager, kubelet: at('kubelet'), node };
}

/** Each step leaves its result in its place at once or not at all, so that a build can be cut at any time, and two can run beside each other. */
class Build {
  readonly #home: string;
  readonly #progress: (step: string) => void;
  readonly #running: Running;

  constructor(home: string, progress: (step: string) => void, running: Running) {
    this.#home = home;
    this.#progress = progress;
    this.#running = running;
  }

  async all(): Promise<void> {
    await this.#provide('bin/etcd', async (scratch, result) => {
      const unpacked = await this.#debian(scratch, ['etcd-server']);
      renameSync(join(unpacked, 'usr/bin/etcd'), result);
    });
    await this.#provide('node', async (scratch, result) => {
      renameSync(await this.#debian(scratch, ['containerd', 'runc', 'busybox-static']), result);
    });
    await this.#provide('go', async (scratch, result) =>
      renameSync(await this.#debian(scratch, ['golang-1.19-go', 'golang-1.19-src']), result),
    );
    await this.#provide('source', (scratch, result) => this.#source(scratch, result));
    for (const name of COMPILED) {
      await this.#provide(`bin/${name}`, (_, result) => this.#go(name, join(this.#home, 'source'), ['-o', result, `./cmd/${name}`]));
    }
    this.#progress('removing what was only needed to compile');
    for (const name of ['go', 'source', 'compiled']) rmSync(join(this.#home, name), { recursive: true, force: true });
  }

  async #provide(name: string, make: (scratch: string, result: string) => Promise<void>): Promise<void> {
    const place = join(this.#home, name);
    if (existsSync(place)) return;
    const scratch = mkdtempSync(join(this.#home, 'building-'));
    try {
      await make(scratch, join(scratch, 'result'));
      try {
        renameSync(join(scratch, 'result'), place);
      } catch (error) {
        // Another process was faster.
        if (!existsSync(place)) throw error;
      }
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }

  /** The files of packages in one folder. */
  async #debian(scratch: string, packages: readonly string[]): Promise<string> {
    this.#progress(`downloading ${packages.join(', ')}`);
    const { folder, files } = downloadFromRelease({ folder: join(scratch, 'download'), release, packages });
    const unpacked = join(scratch, 'unpacked');
    for (const file of files.filter((name) => name.endsWith('.deb'))) await this.#run('dpkg-deb', ['-x', join(folder, file), unpacked], {});
    return unpacked;
  }

  /** The tree in its place below a GOPATH, with the one generated file that the package leaves out. */
  async #source(scratch: string, result: string): Promise<void> {
    this.#progress(`downloading the source of Kubernetes ${version}`);
    const source = `kubernetes=${debianVersion}`;
    const { folder, files }: DebianDownload = downloadFromRelease({ folder: join(scratch, 'download'), release, packages: [], source });
    const description = files.find((name) => name.endsWith('.dsc'));
    if (description === undefined) throw new Error('the source package of kubernetes has no .dsc file');
    this.#progress('unpacking it');
    mkdirSync(join(result, 'src/k8s.io'), { recursive: true });
    const tree = join(result, PLACE);
    await this.#run('dpkg-source', ['--no-check', '-x', join(folder, description), tree], {});
    const generator = join(scratch, 'openapi-gen');
    await this.#go('openapi-gen', result, ['-o', generator, './vendor/k8s.io/kube-openapi/cmd/openapi-gen']);
    this.#progress('describing its API');
    const packages = describedPackages(tree);
    await this.#run(
      generator,
      [
        `--input-dirs=${packages.join(',')}`,
        `--output-package=${MODULE}/pkg/generated/openapi`,
        `--output-base=${join(result, 'src')}`,
        '--output-file-base=zz_generated.openapi',
        `--report-filename=${join(scratch, 'report')}`,
        `--go-header-file=${join(tree, 'hack/boilerplate/boilerplate.generatego.txt')}`,
      ],
      { cwd: tree, env: this.#environment(result) },
    );
  }

  /** `go build` in the tree, as polite as can be. `-v` names each package when it is compiled. */
  async #go(name: string, gopath: string, parameters: readonly string[]): Promise<void> {
    const versions = ['gitVersion', `v${version}`, 'gitMajor', version.split('.')[0]!, 'gitMinor', version.split('.')[1]!];
    const flags = ['k8s.io/component-base/version', `${MODULE}/vendor/k8s.io/component-base/version`].flatMap((path) =>
      [0, 2, 4].map((at) => `-X ${path}.${versions[at]!}=${versions[at + 1]!}`),
    );
    let compiled = 0;
    let told = 0;
    await this.#run(
      'nice',
      [
        '-n',
        '19',
        join(this.#goRoot(), 'bin/go'),
        'build',
        '-v',
        '-trimpath',
        '-tags',
        TAGS,
        '-ldflags',
        `-s -w ${flags.join(' ')}`,
        ...parameters,
      ],
      { cwd: join(gopath, PLACE), env: this.#environment(gopath) },
      (line) => {
        compiled += 1;
        if (Date.now() - told < betweenWordsMs) return;
        told = Date.now();
        this.#progress(`compiling ${name}: ${compiled} packages, now ${line.replace(`${MODULE}/`, '')}`);
      },
    );
  }

  #goRoot(): string {
    return join(this.#home, 'go/usr/lib/go-1.19');
  }

  #environment(gopath: string): NodeJS.ProcessEnv {
    return {
      ...process.env,
      GO111MODULE: 'off',
      GOPATH: gopath,
      GOROOT: this.#goRoot(),
      GOCACHE: join(this.#home, 'compiled'),
      GOFLAGS: '',
      CGO_ENABLED: '0',
    };
  }

  #run(
    command: string,
    parameters: readonly string[],
    options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv },
    onLine?: (line: string) => void,
  ): Promise<void> {
    return this.#running.run(command, parameters, options, onLine);
  }
}

/** The one program that runs for the build, which can be ended. */
class Running {
  #stopped = false;
  #stop: () => Promise<void> = () => Promise.resolve();

  stop(): Promise<void> {
    this.#stopped = true;
    return this.#stop();
  }

  async run(
    command: string,
    parameters: readonly string[],
    options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv },
    onLine: (line: string) => void = () => {},
  ): Promise<void> {
    if (this.#stopped) throw new Error('interrupted');
    // A group of its own: `go` starts compilers, which have to end with it.
    const child = spawn(command, parameters, { ...options, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    let said = '';
    let rest = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-mostSaid);
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    this.#stop = async () => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
      await ended.catch(() => {});
    };
    const status = await ended;
    this.#stop = () => Promise.resolve();
    if (status !== 0) throw new Error(`${command} ${parameters.slice(0, 4).join(' ')} … failed:\n${said}`);
  }
}

/** Packages of types that ask to be described (`+k8s:openapi-gen=`), as the tree's own Makefile finds them. */
function describedPackages(tree: string): readonly string[] {
  const found: string[] = [];
  const look = (folder: string): void => {
    const entries = readdirSync(folder, { withFileTypes: true });
    const isDescribed = entries.some(
      (entry) => entry.isFile() && entry.name.endsWith('.go') && DESCRIBED.test(readFileSync(join(folder, entry.name), 'utf8')),
    );
    if (isDescribed) found.push(`${MODULE}/${relative(tree, folder).replace(/^staging\/src\//, 'vendor/')}`);
    for (const entry of entries) if (entry.isDirectory() && !IGNORED.has(entry.name)) look(join(folder, entry.name));
  };
  for (const part of ['cmd', 'pkg', 'plugin', 'staging/src/k8s.io']) look(join(tree, part));
  return found.sort();
}

const release = 'bookworm';
const version = '1.20.2';
/** The last that has more than the client. */
const debianVersion = '1.20.5+really1.20.2-1.1+deb12u1';
const COMPILED = ['kube-apiserver', 'kube-controller-manager', 'kubelet'] as const;
/** Without what the programs know of single clouds and of Docker, which is half of their source. */
const TAGS = 'providerless,dockerless';
const MODULE = 'k8s.io/kubernetes';
const PLACE = join('src', MODULE);
const DESCRIBED = /^\/\/ *\+k8s:openapi-gen=/m;
const IGNORED: ReadonlySet<string> = new Set(['testdata', '_examples', 'example', 'examples', 'test']);
const betweenWordsMs = 10_000;
const mostSaid = 4_000;

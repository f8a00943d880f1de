import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kubectl, type KubectlVersion } from '../parts/kubectl.ts';
import { start, type Ran, type Running } from '../harness.ts';

/** kubectl of one version with one kubeconfig, which has no state of its own anywhere else. */
export class Kubectl {
  readonly program: string;
  readonly version: KubectlVersion;
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;

  constructor(version: KubectlVersion, kubeconfig: string, folder: string) {
    this.program = kubectl(version);
    this.version = version;
    this.folder = folder;
    const home = join(folder, `home-${version}`);
    mkdirSync(home, { recursive: true });
    this.env = { PATH: '/usr/bin:/bin', HOME: home, KUBECONFIG: kubeconfig, LC_ALL: 'C.UTF-8', TZ: 'UTC', TERM: 'xterm' };
  }

  run(parameters: readonly string[], options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {}): Promise<Ran> {
    return this.start(parameters, options).done;
  }

  /** Ends by itself after a minute and a half, then with status 124. */
  start(parameters: readonly string[], options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {}): Running {
    return start('timeout', ['90', this.program, ...parameters], { ...this.env, ...options.env }, options.input);
  }

  /** Its output goes nowhere. */
  async silent(parameters: readonly string[]): Promise<number | null> {
    const child = spawn('timeout', ['300', this.program, ...parameters], { env: this.env, stdio: 'ignore' });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
  }

  /**
   * On a terminal of this size, on which the lines are typed once the texts before them have been shown: what the terminal has shown, and
   * the exit status.
   */
  async onTerminal(
    parameters: readonly string[],
    typing: readonly { readonly after: string; readonly type: string; readonly size?: string }[],
    size = '91 33',
  ): Promise<{ readonly status: number | null; readonly shown: string }> {
    const child = spawn('/usr/bin/python3', [terminal, this.folder, 'timeout', '--foreground', '90', this.program, ...parameters], {
      env: this.env,
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
    });
    const sizes = child.stdio[3] as NodeJS.WritableStream;
    sizes.write(`${size}\n`);
    let shown = '';
    const left = [...typing];
    child.stdin!.on('error', () => {});
    const type = (): void => {
      const next = left[0];
      if (next === undefined || !shown.includes(next.after)) return;
      left.shift();
      if (next.size !== undefined) sizes.write(`${next.size}\n`);
      child.stdin!.write(next.type);
      type();
    };
    child.stdout!.on('data', (chunk: Buffer) => {
      shown += chunk.toString();
      type();
    });
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    return { status, shown };
  }
}

const terminal = fileURLToPath(new URL('api-server/terminal.py', import.meta.url));

import { stat } from 'node:fs/promises';
import { loadConfig, type LoadOptions } from './load.ts';
import { ConfigError } from './problem.ts';
import type { Config, ListenAddress } from './types.ts';

export interface WatchOptions {
  /** Puts the next configuration in force, whole or not at all. Where it throws, the previous one stays in force. */
  readonly apply: (next: Config, previous: Config) => void | Promise<void>;
  /** A configuration was refused and nothing changed: a `ConfigError`, a `RestartNeeded`, or what `apply` threw. */
  readonly refused: (error: unknown) => void;
  /** Milliseconds between looks at the files. A change is taken up when two looks in a row find the same: nothing half-written is read. */
  readonly intervalMs?: number;
  readonly load?: LoadOptions;
}

/** What changed cannot be changed while the gateway runs. Nothing was changed. */
export class RestartNeeded extends Error {
  override readonly name = 'RestartNeeded';

  constructor(keys: readonly string[]) {
    super(`nothing was changed: ${keys.join(', ')} can only change with a restart of the gateway`);
  }
}

/**
 * Keeps a configuration current: on SIGHUP, and when one of its files changes. Looks at the files instead of subscribing to events,
 * because network file systems send none and editors and Kubernetes replace files rather than write them.
 *
 * Every reload is atomic and they never overlap: a configuration is read and checked as a whole, then `apply` puts it in force.
 */
export class ConfigWatcher {
  readonly #options: WatchOptions;
  readonly #onSignal = (): void => void this.reload();
  #current: Config;
  #watched: readonly string[];
  /** What the files looked like when they were last read, and at the last look. */
  #read: string | undefined;
  #seen: string | undefined;
  /** What they looked like when this watcher was made, right after they were first read. */
  readonly #baseline: Promise<string>;
  #running: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(current: Config, options: WatchOptions) {
    this.#current = current;
    this.#watched = current.watched;
    this.#baseline = fingerprint(current.watched);
    this.#options = options;
  }

  get current(): Config {
    return this.#current;
  }

  start(): void {
    process.on('SIGHUP', this.#onSignal);
    this.#schedule();
  }

  stop(): void {
    process.off('SIGHUP', this.#onSignal);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Reads everything again now. Never rejects: what goes wrong is told to `refused`. */
  reload(): Promise<void> {
    if (this.#running !== undefined) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#reloadUntilQuiet().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** One look at the files; reloads where they changed since they were read and have come to rest. */
  async look(): Promise<void> {
    const now = await fingerprint(this.#watched);
    this.#read ??= await this.#baseline;
    const atRest = now === this.#seen;
    this.#seen = now;
    if (atRest && now !== this.#read) await this.reload();
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      void this.look().finally(() => {
        if (this.#timer !== undefined) this.#schedule();
      });
    }, this.#options.intervalMs ?? defaultIntervalMs);
    this.#timer.unref();
  }

  async #reloadUntilQuiet(): Promise<void> {
    do {
      this.#again = false;
      await this.#reloadOnce();
    } while (this.#again);
  }

  async #reloadOnce(): Promise<void> {
    // Taken before reading: what changes while it is being read is found by the next look.
    let before = await fingerprint(this.#watched);
    try {
      const next = await loadConfig(this.#current.file, this.#options.load);
      if (!sameList(next.watched, this.#watched)) before = await this.#watch(next.watched);
      const keys = restartKeys(this.#current, next);
      if (keys.length > 0) throw new RestartNeeded(keys);
      await this.#options.apply(next, this.#current);
      this.#current = next;
    } catch (error) {
      if (error instanceof ConfigError) before = await this.#watch([...new Set([...this.#current.watched, ...error.watched])]);
      this.#options.refused(error);
    }
    this.#read = before;
  }

  async #watch(paths: readonly string[]): Promise<string> {
    this.#watched = paths;
    return fingerprint(paths);
  }
}

/** The keys of `next` that differ from what runs and cannot be changed under running listeners, logs and sessions. */
function restartKeys(current: Config, next: Config): string[] {
  const keys = ['name', 'data', 'workers', 'unsafePlaintext'] as const;
  const changed = keys.filter((key) => current.gateway[key] !== next.gateway[key]).map((key) => restartNames.get(key) ?? `gateway.${key}`);
  if (listening(current) !== listening(next)) changed.push('listeners or targets.*.listen');
  if (current.audit.durability !== next.audit.durability) changed.push('audit.durability');
  return changed;
}

function show(address: ListenAddress | undefined): string {
  return address === undefined ? '' : `${address.host ?? '*'}:${address.port}`;
}

function listening(config: Config): string {
  const { postgres, https, api } = config.listeners;
  const targets = config.targets.flatMap((target) => {
    return target.listen === undefined ? [] : [`${target.name}=${show(target.listen)}`];
  });
  return [show(postgres), show(https), show(api), ...targets.sort()].join(' ');
}

/** What files look like without reading them. A file that is not there looks like nothing. */
async function fingerprint(paths: readonly string[]): Promise<string> {
  const looks = await Promise.all(
    paths.map(async (path) => {
      const found = await stat(path, { bigint: true }).catch(() => undefined);
      return found === undefined ? '' : `${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`;
    }),
  );
  return looks.join('|');
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((path, index) => path === b[index]);
}

const defaultIntervalMs = 1000;
const restartNames: ReadonlyMap<string, string> = new Map([['unsafePlaintext', 'gateway.unsafe_plaintext']]);

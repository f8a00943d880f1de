import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ContainerLog } from './container-log.ts';
import { at, copy, isObject, listAt, numberAt, textAt, type Json, type JsonObject, type KubeObject } from './json.ts';
import { startProcess, type Process } from './process.ts';
import { success, type RemoteStreams } from './remote.ts';
import { findResource, type Resource } from './resources.ts';
import type { Change, Store } from './store.ts';

/** Containers as real processes: started when their pod appears, stopped when it goes, their states told in the pod's status. */
export class Pods {
  readonly #store: Store;
  readonly #folder: string;
  readonly #containers = new Map<string, Container>();
  readonly #pods: Resource = findResource('', 'v1', 'pods')!;
  #addresses = 10;

  constructor(store: Store, folder: string) {
    this.#store = store;
    this.#folder = folder;
    store.follow((change) => {
      if (change.resource === this.#pods) this.#changed(change);
    });
  }

  container(pod: KubeObject, name: string): Container | undefined {
    return this.#containers.get(`${textAt(pod, 'metadata', 'uid')}/${name}`);
  }

  /** Runs a command in a container. Undefined: there is no such program there. */
  exec(pod: KubeObject, name: string, argv: readonly string[], tty: boolean): Process | undefined {
    const spec = containerSpec(pod, name);
    return startProcess({ argv, tty, folder: this.folderOf(pod, name), env: environmentOf(pod, spec) });
  }

  /** What the container has as its own files. */
  folderOf(pod: KubeObject, name: string): string {
    const folder = join(this.#folder, textAt(pod, 'metadata', 'uid'), name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Takes the pod away once its processes have ended. */
  async terminate(pod: KubeObject, graceSeconds: number): Promise<void> {
    const own = [...this.#containers].filter(([key]) => key.startsWith(`${textAt(pod, 'metadata', 'uid')}/`)).map(([, one]) => one);
    for (const one of own) one.stop(graceSeconds > 0 ? 'SIGTERM' : 'SIGKILL');
    const limit = setTimeout(() => own.forEach((one) => one.stop('SIGKILL')), Math.min(graceSeconds, 1) * 1_000);
    await Promise.all(own.map(({ over }) => over));
    clearTimeout(limit);
    const current = this.#store.get(this.#pods, textAt(pod, 'metadata', 'namespace'), textAt(pod, 'metadata', 'name'));
    if (current !== undefined && textAt(current, 'metadata', 'uid') === textAt(pod, 'metadata', 'uid'))
      this.#store.remove(this.#pods, current);
  }

  #changed({ type, object }: Change): void {
    if (type === 'DELETED' || textAt(object, 'metadata', 'deletionTimestamp') !== '') return;
    const fresh = [...listAt(object, 'spec', 'containers'), ...listAt(object, 'spec', 'ephemeralContainers')].filter(
      (spec) => this.container(object, textAt(spec, 'name')) === undefined,
    );
    if (fresh.length === 0) return;
    for (const spec of fresh) this.#start(object, spec);
    // After whoever made the pod has its answer, as with a scheduler and a kubelet.
    setImmediate(() => this.#tell(object));
  }

  #start(pod: KubeObject, spec: Json): void {
    const name = textAt(spec, 'name');
    const container = new Container({
      pod,
      spec,
      folder: this.folderOf(pod, name),
      logFile: join(this.#folder, textAt(pod, 'metadata', 'uid'), `${name}.log`),
      onState: () => this.#tell(pod),
    });
    this.#containers.set(`${textAt(pod, 'metadata', 'uid')}/${name}`, container);
  }

  #tell(pod: KubeObject): void {
    const current = this.#store.get(this.#pods, textAt(pod, 'metadata', 'namespace'), textAt(pod, 'metadata', 'name'));
    if (current === undefined || textAt(current, 'metadata', 'uid') !== textAt(pod, 'metadata', 'uid')) return;
    const told = copy(current);
    const address = textAt(current, 'status', 'podIP') || `10.1.0.${(this.#addresses += 1)}`;
    told['status'] = this.#statusOf(current, address);
    this.#store.put(this.#pods, told);
  }

  #statusOf(pod: KubeObject, address: string): JsonObject {
    const statuses = (list: string): Json[] =>
      listAt(pod, 'spec', list).flatMap((spec) => {
        const container = this.container(pod, textAt(spec, 'name'));
        return container === undefined ? [] : [container.status()];
      });
    const [own, ephemeral] = [statuses('containers'), statuses('ephemeralContainers')];
    const restartPolicy = textAt(pod, 'spec', 'restartPolicy');
    const ended = own.map((status) => at(status, 'state', 'terminated')).filter((state) => state !== undefined);
    const isOver = restartPolicy !== 'Always' && ended.length === own.length;
    const hasFailed = ended.some((state) => numberAt(state, 'exitCode') !== 0);
    const phase = isOver ? (hasFailed ? 'Failed' : 'Succeeded') : 'Running';
    const isReady = phase === 'Running' && own.every((status) => at(status, 'ready') === true);
    const started = textAt(pod, 'metadata', 'creationTimestamp');
    const condition = (type: string, holds: boolean): JsonObject => ({
      type,
      status: holds ? 'True' : 'False',
      lastProbeTime: null,
      lastTransitionTime: started,
      ...(holds || !isOver ? {} : { reason: 'PodCompleted' }),
    });
    return {
      phase,
      conditions: [
        condition('Initialized', true),
        condition('Ready', isReady),
        condition('ContainersReady', isReady),
        condition('PodScheduled', true),
      ],
      hostIP: '10.0.0.1',
      hostIPs: [{ ip: '10.0.0.1' }],
      podIP: address,
      podIPs: [{ ip: address }],
      startTime: started,
      containerStatuses: own,
      ...(ephemeral.length > 0 ? { ephemeralContainerStatuses: ephemeral } : {}),
      qosClass: 'BestEffort',
    };
  }
}

/** One container and its main process. */
export class Container {
  readonly log: ContainerLog;
  /** When its process has ended for good. */
  readonly over: Promise<void>;
  readonly #spec: Json;
  readonly #pod: KubeObject;
  readonly #folder: string;
  readonly #onState: () => void;
  readonly #identity = randomBytes(32).toString('hex');
  readonly #watchers = new Set<(stream: 'stdout' | 'stderr', chunk: Buffer) => void>();
  #process: Process | undefined;
  #startedAt = now();
  #ended: JsonObject | undefined;
  #restarts = 0;
  #isStopped = false;

  constructor(options: {
    readonly pod: KubeObject;
    readonly spec: Json;
    readonly folder: string;
    readonly logFile: string;
    readonly onState: () => void;
  }) {
    this.#pod = options.pod;
    this.#spec = options.spec;
    this.#folder = options.folder;
    this.#onState = options.onState;
    this.log = new ContainerLog(options.logFile);
    this.over = this.#run();
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  stop(signal: NodeJS.Signals): void {
    this.#isStopped = true;
    this.#process?.kill(signal);
  }

  /** Connects streams with the main process until it ends or the client leaves. */
  async attach(streams: RemoteStreams): Promise<void> {
    const process = this.#process;
    if (process === undefined) return streams.finish(success);
    const stdin = at(this.#spec, 'stdin') === true ? streams.stdin : undefined;
    const isOnce = at(this.#spec, 'stdinOnce') === true;
    stdin?.pipe(process.stdin, { end: isOnce });
    const watcher = (stream: 'stdout' | 'stderr', chunk: Buffer): void => void streams[stream]?.write(chunk);
    this.#watchers.add(watcher);
    streams.onResize((size) => process.resize(size));
    const code = await Promise.race([process.done, streams.gone]);
    this.#watchers.delete(watcher);
    if (code === undefined) {
      stdin?.unpipe(process.stdin);
      if (isOnce && stdin !== undefined) process.stdin.end();
    } else await streams.finish(success);
  }

  status(): JsonObject {
    const image = textAt(this.#spec, 'image');
    return {
      name: textAt(this.#spec, 'name'),
      state: this.#ended === undefined ? { running: { startedAt: this.#startedAt } } : { terminated: this.#ended },
      lastState: {},
      ready: this.#ended === undefined,
      restartCount: this.#restarts,
      image,
      imageID: `${image}@sha256:${createHash('sha256').update(image).digest('hex')}`,
      containerID: `containerd://${this.#identity}`,
      started: this.#ended === undefined,
    };
  }

  async #run(): Promise<void> {
    const argv = commandOf(this.#spec);
    const tty = at(this.#spec, 'tty') === true;
    for (;;) {
      this.#process = startProcess({ argv, tty, folder: this.#folder, env: environmentOf(this.#pod, this.#spec) });
      const process = this.#process;
      if (process !== undefined) {
        this.#keep(process.stdout, 'stdout');
        if (process.stderr !== undefined) this.#keep(process.stderr, 'stderr');
        if (at(this.#spec, 'stdin') !== true) process.stdin.end();
      }
      const code = process === undefined ? 128 : await process.done;
      this.#process = undefined;
      this.#ended = {
        exitCode: code,
        reason: process === undefined ? 'StartError' : code === 0 ? 'Completed' : 'Error',
        startedAt: this.#startedAt,
        finishedAt: now(),
        containerID: `containerd://${this.#identity}`,
      };
      if (this.#isStopped || textAt(this.#pod, 'spec', 'restartPolicy') !== 'Always' || this.#restarts >= 3) break;
      this.#onState();
      await new Promise((resolve) => {
        setTimeout(resolve, 200);
      });
      this.#restarts += 1;
      this.#ended = undefined;
      this.#startedAt = now();
      setImmediate(this.#onState);
    }
    this.log.end();
    this.#onState();
  }

  #keep(from: Readable, stream: 'stdout' | 'stderr'): void {
    from.on('data', (chunk: Buffer) => {
      this.log.write(chunk);
      for (const watcher of this.#watchers) watcher(stream, chunk);
    });
  }
}

function containerSpec(pod: KubeObject, name: string): Json | undefined {
  return [...listAt(pod, 'spec', 'containers'), ...listAt(pod, 'spec', 'ephemeralContainers')].find(
    (spec) => textAt(spec, 'name') === name,
  );
}

/** Images have no files here; what they start is a shell for busybox, and nothing that ends for others. */
function commandOf(spec: Json): string[] {
  const words = (name: string): string[] => listAt(spec, name).map(String);
  const [command, parameters] = [words('command'), words('args')];
  if (command.length > 0 || parameters.length > 0) return [...command, ...parameters];
  return /^busybox\b/.test(textAt(spec, 'image')) ? ['sh'] : ['sleep', 'infinity'];
}

function environmentOf(pod: KubeObject, spec: Json | undefined): Record<string, string> {
  const own = listAt(spec, 'env').filter(isObject);
  return {
    HOSTNAME: textAt(pod, 'metadata', 'name'),
    KUBERNETES_SERVICE_HOST: '10.96.0.1',
    ...Object.fromEntries(own.map((variable) => [textAt(variable, 'name'), textAt(variable, 'value')])),
  };
}

export function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

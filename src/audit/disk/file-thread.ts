import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { WholeFile } from './file-system.ts';
import type { Answer, Request } from './file-thread-main.ts';

/**
 * Has files written by a thread that makes no other calls, one after the other and without coming back for each: by way of libuv's threads a file is five calls, each of
 * which wakes a thread and then this one. Bytes in shared memory are not copied. The thread starts with the first files, and again should it have ended.
 */
export class FileThread {
  readonly #program: URL;
  #worker: Worker | undefined;
  #requests = 0;
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>();

  constructor(program = PROGRAM) {
    this.#program = program;
  }

  /** As `FileSystem.writeFiles`. Calls are served in their order. */
  write(files: readonly WholeFile[], folders: readonly string[]): Promise<void> {
    const worker = (this.#worker ??= this.#start());
    const answer = Promise.withResolvers<void>();
    const id = ++this.#requests;
    worker.postMessage({ id, files, folders } satisfies Request);
    this.#waiting.set(id, answer);
    worker.ref();
    return answer.promise;
  }

  #start(): Worker {
    const worker = new Worker(this.#program, { env: {}, execArgv: [], name: 'audit files' });
    worker.on('message', ({ failure, id }: Answer) => {
      const answer = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) worker.unref();
      if (failure === undefined) answer?.resolve();
      else answer?.reject(Object.assign(new Error(failure.message), { code: failure.code }));
    });
    worker.on('error', (error) => this.#end(worker, error));
    worker.on('exit', () => this.#end(worker, new Error('the thread that writes files has ended')));
    return worker;
  }

  /** Nothing is known of what it was writing. */
  #end(worker: Worker, error: Error): void {
    // After an error comes the exit, when there may be another thread already.
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const answer of this.#waiting.values()) answer.reject(error);
    this.#waiting.clear();
  }
}

const PROGRAM = new URL(`./file-thread-main${extname(import.meta.url)}`, import.meta.url);

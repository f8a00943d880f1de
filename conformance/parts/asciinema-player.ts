import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

/** What asciinema's own player does with a recording, from the first to the last of it. */
export interface Played {
  /** Columns and rows at the beginning, and each time that they change. */
  readonly sizes: readonly (readonly [columns: number, rows: number])[];
  /** What its terminal is given, and what it is told was typed. */
  readonly output: string;
  readonly input: string;
  readonly markers: readonly string[];
  readonly seconds: number;
}

/**
 * The core of `asciinema-player`, without its screen, which wants a browser: it reads the file, keeps time and says what its terminal is to do. Plays a thousand times as fast. Rejects
 * where it cannot read it.
 */
export async function playAsciicast(cast: string): Promise<Played> {
  const script = readFileSync(new URL(import.meta.resolve('asciinema-player/dist/bundle/asciinema-player-worker.min.js')), 'utf8');
  const worker = new Worker(`${browserWorker}\n${script}\n${deliver}`, { eval: true });
  const sizes: (readonly [columns: number, rows: number])[] = [];
  const markers: string[] = [];
  let [output, input, seconds] = ['', '', 0];
  const take = (name: string, event: PlayerEvent): void => {
    if (name === 'output') output += (event as readonly string[]).join('');
    else if (name === 'input') input += (event as { readonly data: string }).data;
    else if (name === 'resize') sizes.push(sizeOf(event as Size));
    else if (name === 'reset') sizes.push(sizeOf((event as { readonly size: Size }).size));
    else if (name === 'metadata') {
      const { duration, markers: marked } = event as {
        readonly duration: number;
        readonly markers: readonly (readonly [number, string])[];
      };
      seconds = duration;
      markers.push(...marked.map(([, label]) => label));
    }
  };
  try {
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.on('message', (message: { method?: string; params?: { name: string; event: PlayerEvent }; error?: unknown }) => {
        if (message.error !== undefined) reject(new Error(JSON.stringify(message.error)));
        if (message.method !== 'onEvent' || message.params === undefined) return;
        const { name, event } = message.params;
        take(name, event);
        if (name === 'error') reject(new Error(JSON.stringify(event)));
        else if (name === 'ended') resolve();
      });
      let id = 0;
      const ask = (method: string, params: unknown): void => worker.postMessage({ id: (id += 1), method, params });
      ask('new', [
        { driver: 'recording', parser: 'asciicast', data: cast },
        { speed: 1000, preload: true },
      ]);
      for (const name of ['reset', 'resize', 'output', 'input', 'metadata', 'ended', 'error']) ask('addEventListener', [name]);
      ask('terminalReady', []);
      ask('init', []);
      ask('play', []);
    });
  } finally {
    await worker.terminate();
  }
  return { sizes, output, input, markers, seconds };
}

interface Size {
  readonly cols: number;
  readonly rows: number;
}

type PlayerEvent = object;

function sizeOf({ cols, rows }: Size): readonly [columns: number, rows: number] {
  return [cols, rows];
}

/** What the script of a browser's worker finds there. */
const browserWorker = `const { parentPort } = require('node:worker_threads');
globalThis.self = globalThis;
globalThis.onmessage = undefined;
globalThis.postMessage = (message) => parentPort.postMessage(message);`;
const deliver = `parentPort.on('message', (data) => globalThis.onmessage({ data }));`;

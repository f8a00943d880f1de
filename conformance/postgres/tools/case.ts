import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Ran } from '../../harness.ts';
import { run } from '../../harness.ts';
import type { Place, ToolServer } from './world.ts';

/** One thing that people do with a tool. It is done from each place, and what it shows has to be the same. */
export interface ToolCase {
  readonly name: string;
  /** Also in `npm test`. */
  readonly quick?: true;
  /** Why it runs on some servers alone. */
  readonly only?: { readonly version: 15 | 18; readonly because: string };
  /** What it shows through the gateway is another thing, and has to be: why. `expected` says whether it is that thing. */
  readonly exception?: { readonly reason: string; expected(direct: Shown, gateway: Shown): boolean };
  /** The place through the gateway: everything shown, or the demo's data classes masked. */
  readonly at?: 'masked';
  /** Leaves the server as it was. */
  run(at: Workplace): Promise<Shown>;
}

/** What a tool showed, part by part, under names: each part is compared on its own. */
export type Shown = ReadonlyMap<string, string>;

export interface Workplace {
  readonly server: ToolServer;
  /** A folder of its own; the same path on every run, because tools show paths. */
  readonly folder: string;
  /** Where a database of the server is reached from here. */
  place(database?: string): Promise<Place>;
}

export function shown(parts: Readonly<Record<string, string>>): Shown {
  return new Map(Object.entries(parts));
}

/** Exit status and output of a program that may take a minute and a half (then the status is 124), with what differs from run to run taken out. */
export async function tool(at: Workplace, command: string, parameters: readonly string[], options: ToolOptions = {}): Promise<string> {
  const place = await at.place(options.database);
  const ran = await run('timeout', ['90', command, ...parameters], { ...place.env, ...options.env }, options.input);
  return clean(at, ran, place);
}

export interface ToolOptions {
  readonly database?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export const binaries = '/usr/lib/postgresql/15/bin';

function clean(at: Workplace, { status, stdout, stderr }: Ran, place: Place): string {
  return `status ${status}\n${stdout}\n${stderr}`
    .replaceAll(`database "${place.dbname}"`, 'database NAME')
    .replaceAll(at.folder, 'FOLDER')
    .replace(/^\\(un)?restrict .*$/gm, '\\$1restrict KEY')
    .replace(/port "?\d+"?/g, 'port N')
    .replace(/^(localhost):\d+ - /gm, '$1:N - ')
    .replace(/(server process with PID) \d+/g, '$1 N')
    .replace(/ \(address "[^"]*"\)/g, '')
    .replace(/^; Archive created at .*$/gm, '; Archive created at TIME')
    .replace(/^\w{3} \w{3} +\d+ [\d:]{8} \d{4} \(every/gm, 'TIME (every');
}

export function folderFor(scratch: string, name: string): string {
  const folder = join(scratch, name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

import type { Readable, Writable } from 'node:stream';
import type { JsonObject } from './json.ts';
import type { Process, Size } from './process.ts';

/** The streams of an exec or attach, whichever protocol carries them. */
export interface RemoteStreams {
  /** Undefined where the client did not ask for it. */
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  onResize(listener: (size: Size) => void): void;
  /** The end: everything that was written has gone, then this Status on the error stream. */
  finish(status: JsonObject): Promise<void>;
  /** When the client has gone, or all is over. */
  readonly gone: Promise<void>;
}

export const success: JsonObject = { metadata: {}, status: 'Success' };

/** How a command's exit code is told (`remotecommand.NonZeroExitCodeReason`). */
export function exitStatus(code: number): JsonObject {
  if (code === 0) return success;
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

export function execFailure(message: string): JsonObject {
  return {
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: ${message}`,
    reason: 'InternalError',
    details: { causes: [{ message }] },
    code: 500,
  };
}

/** Exec: connects the streams with a process of its own until it ends. */
export async function runRemote(streams: RemoteStreams, process: Process): Promise<void> {
  if (streams.stdin === undefined) process.stdin.end();
  else streams.stdin.pipe(process.stdin);
  forward(process.stdout, streams.stdout);
  if (process.stderr !== undefined) forward(process.stderr, streams.stderr);
  streams.onResize((size) => process.resize(size));
  void streams.gone.then(() => {
    process.stdin.end();
    process.hangUp();
    process.stdout.resume();
    process.stderr?.resume();
  });
  const code = await process.done;
  await streams.finish(exitStatus(code));
}

/** Without a taker the output is read all the same, so that the process is not held up. */
function forward(from: Readable, to: Writable | undefined): void {
  if (to === undefined) from.resume();
  else from.pipe(to, { end: false });
}

import { GatewayFault } from '../../core/fault.ts';
import type { Limits } from '../../core/limits.ts';
import type { Running } from './expected.ts';
import type { Understanding } from './understanding.ts';

/** How much of an answer may be shown: the limits of its operation, less what the same portal has shown already. */
export interface Allowance {
  readonly limits: Limits;
  readonly rows: number;
  readonly bytes: number;
}

/** Undefined where nothing limits the answer, or there is none to be limited. */
export function allowanceOf(limits: Limits, { showsRows }: Understanding): Allowance | undefined {
  const { rows, bytes, rowsPerMinute } = limits;
  if (!showsRows || (rows === undefined && bytes === undefined && rowsPerMinute === undefined)) return undefined;
  return { limits, rows: rows ?? Number.POSITIVE_INFINITY, bytes: bytes ?? Number.POSITIVE_INFINITY };
}

/** `left`: rows that the principal may still be shown in this minute. */
export function fits(running: Running, rows: number, bytes: number, left: number): boolean {
  const { allowance } = running;
  if (allowance === undefined) return true;
  return running.rows + running.copied + rows <= allowance.rows && running.bytes + bytes <= allowance.bytes && rows <= left;
}

/** Which limit `rows` and `bytes` more would pass. */
export function passed(target: string, running: Running, rows: number, bytes: number): GatewayFault {
  const { limits, rows: mostRows, bytes: mostBytes } = running.allowance ?? { limits: {}, rows: 0, bytes: 0 };
  if (running.rows + running.copied + rows > mostRows) return stopped(`rows (${limits.rows}) of target ${target} is exceeded`);
  if (running.bytes + bytes > mostBytes) return stopped(`bytes (${limits.bytes}) of target ${target} is exceeded`);
  return stopped(`rows_per_minute (${limits.rowsPerMinute}) of target ${target} is reached`, 'Wait a minute, then ask for less at a time.');
}

/** What of a run of messages fits: whole messages only. */
export interface Fitting {
  /** Where the run is to be cut. */
  readonly end: number;
  readonly rows: number;
}

/** `begun`: bytes at `start` that belong to a message which has begun to pass. */
export function fitting(bytes: Uint8Array, start: number, end: number, begun: number, running: Running, left: number): Fitting {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let at = Math.min(start + begun, end);
  let rows = 0;
  while (at < end) {
    const length = view.getUint32(at + 1) + 1;
    if (!fits(running, rows + 1, at - start + length, left)) break;
    rows += 1;
    at += length;
  }
  return { end: Math.min(at, end), rows };
}

/** For what was committed before it could be stopped: the client must not take it for undone. */
export function ranToItsEnd({ code, publicMessage }: GatewayFault): GatewayFault {
  return new GatewayFault(code, {
    publicMessage: `${publicMessage}; the statement itself had run to its end by then, and what it changed stands`,
    hint: 'Do not run it again. To have it undone in such a case, put it into a transaction.',
  });
}

function stopped(what: string, hint?: string): GatewayFault {
  const publicMessage = `${what}: the answer was stopped, and what came of it is not all`;
  return new GatewayFault('limit-exceeded', hint === undefined ? { publicMessage } : { publicMessage, hint });
}

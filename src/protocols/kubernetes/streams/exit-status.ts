import type { Completion } from '../../../core/operation.ts';

/** How a command ended, as its record says it. */
export type Ending = Pick<Completion, 'outcome' | 'errorCode'>;

/**
 * Reads what came on the error stream: with version 4 and later a `Status` (meta/v1), in whose causes the exit code stands; before it words, and none for success.
 * Undefined: it is not told.
 */
export function endingOf(text: string, isStatus: boolean): Ending | undefined {
  if (!isStatus) return text === '' ? { outcome: 'succeeded', errorCode: undefined } : { outcome: 'failed', errorCode: undefined };
  let status: Status;
  try {
    status = JSON.parse(text) as Status;
  } catch {
    return undefined;
  }
  if (status?.status === 'Success') return { outcome: 'succeeded', errorCode: undefined };
  if (status?.status !== 'Failure') return undefined;
  const causes = Array.isArray(status.details?.causes) ? status.details.causes : [];
  const exit = causes.find((cause) => cause?.reason === 'ExitCode')?.message;
  if (typeof exit === 'string' && /^-?\d{1,10}$/.test(exit)) return { outcome: 'failed', errorCode: `exit ${exit}` };
  return { outcome: 'failed', errorCode: typeof status.reason === 'string' ? status.reason.slice(0, 64) : undefined };
}

interface Status {
  readonly status?: unknown;
  readonly reason?: unknown;
  readonly details?: { readonly causes?: readonly ({ readonly reason?: unknown; readonly message?: unknown } | null)[] };
}

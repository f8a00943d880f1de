import type { Limits } from './limits.ts';

export type Protocol = 'postgres' | 'tds' | 'ssh' | 'http' | 'grpc' | 'kubernetes' | 'cosmos';

/**
 * `strict`: a sensitive column may appear only as a bare output column; anything else is refused.
 * `taint`: every output that a sensitive column can reach is masked whole.
 * `unsafe_origin`: only columns whose origin the server names are masked.
 */
export type MaskingMode = 'strict' | 'taint' | 'unsafe_origin';

/** What an operation that needs approval does: waits in the session, or is refused and may be retried once approved. */
export type HoldMode = 'wait' | 'refuse-and-retry';

/** A protected system, as policy and pipeline see it. Addresses and credentials live in the configuration and in `net/` only. */
export interface Target {
  readonly name: string;
  readonly protocol: Protocol;
  readonly labels: Readonly<Record<string, string>>;
  readonly masking: MaskingMode;
  readonly hold: HoldMode;
  readonly limits?: Limits | undefined;
  /** An operation that asks for anything must state why (the fact `reason`). */
  readonly requireReason?: boolean;
  /** Nothing that writes is let through, whatever policy says. */
  readonly readOnly?: boolean;
}

import type { FaultCode } from './fault.ts';

/** One `@review` policy that matched: who must approve, how many different people, and until when. */
export interface Review {
  readonly policy: string;
  readonly group: string;
  readonly approvals: number;
  readonly expiresMs: number;
  readonly message: string;
}

export type Decision =
  | { readonly kind: 'allow'; readonly policies: readonly string[] }
  | { readonly kind: 'deny'; readonly code: FaultCode; readonly policies: readonly string[]; readonly message: string }
  /** Every review must be approved. */
  | { readonly kind: 'hold'; readonly policies: readonly string[]; readonly reviews: readonly Review[]; readonly message: string };

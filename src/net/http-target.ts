import type { PipelineSession } from '../core/pipeline-session.ts';
import type { CheckedHead } from '../protocols/http/index.ts';
import type {
  AskedRequest,
  CanonicalTarget,
  CrossOrigin,
  ReceivedRequest,
  RequestDialect,
  TargetAnswer,
  TargetRead,
} from '../protocols/request.ts';
import type { Upstream } from './http-upstream-answer.ts';

/** A target of a request protocol as the transport serves it: its protocol, given what it needs to know, and the way there. */
export interface RequestTarget {
  readonly dialect: RequestDialect;
  /** Resolves when what its requests are read with is known; absent: it always is. Rejects with `upstream-unavailable`. */
  ready?(session: PipelineSession): Promise<void>;
  /** What the target must be asked before `ask` can tell. */
  reads(request: ReceivedRequest, session: PipelineSession): readonly TargetRead[];
  ask(request: ReceivedRequest, session: PipelineSession, read: readonly TargetAnswer[]): AskedRequest;
  /** As long as it is the same object, `ask` says the same of the same request that needs no reading at the target. Absent: that cannot be told. */
  asksBy?(session: PipelineSession): object;
  /** The body of such a request passes as it comes, however short it is. Absent: none does. */
  passes?(target: CanonicalTarget): boolean;
  /** What pages of other origins are told, before anybody has signed in. Absent, and where it is undefined: nothing. */
  crossOrigin?(head: CheckedHead): CrossOrigin | undefined;
  readonly upstream: Upstream;
}

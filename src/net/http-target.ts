import type { PipelineSession } from '../core/pipeline-session.ts';
import type { AskedRequest, ReceivedRequest, RequestDialect } from '../protocols/request.ts';
import type { HttpUpstream } from './http-upstream.ts';

/** A target of a request protocol as the transport serves it: its protocol, given what it needs to know, and the way there. */
export interface RequestTarget {
  readonly dialect: RequestDialect;
  ask(request: ReceivedRequest, session: PipelineSession): AskedRequest;
  readonly upstream: HttpUpstream;
}

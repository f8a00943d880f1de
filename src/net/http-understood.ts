import type { PipelineSession } from '../core/pipeline-session.ts';
import type { AskedRequest, HeaderField, ReceivedRequest, RequestDialect } from '../protocols/request.ts';
import type { HttpSession } from './http-sessions.ts';
import type { RequestTarget } from './http-target.ts';

export interface UnderstoodParts {
  readonly dialect: RequestDialect;
  readonly session: HttpSession;
  readonly target: RequestTarget;
  readonly request: ReceivedRequest;
  readonly onEveryAnswer: readonly HeaderField[];
  /** The target of this name as it is configured now. */
  readonly find: (name: string) => RequestTarget | undefined;
}

/**
 * What a request without a body says, kept for one that is the same byte for byte on the same connection: whose session it belongs to, where it goes, what it asks for. Never its
 * credential. Nothing that can change is in it: policy is asked, and everything recorded, each time.
 */
export class Understood {
  readonly dialect: RequestDialect;
  readonly session: HttpSession;
  readonly target: RequestTarget;
  readonly request: ReceivedRequest;
  readonly onEveryAnswer: readonly HeaderField[];
  readonly #find: UnderstoodParts['find'];
  #asked: { readonly by: object; readonly asked: AskedRequest } | undefined;

  constructor({ dialect, session, target, request, onEveryAnswer, find }: UnderstoodParts) {
    this.dialect = dialect;
    this.session = session;
    this.target = target;
    this.request = request;
    this.onEveryAnswer = onEveryAnswer;
    this.#find = find;
  }

  /** Its session runs, and its target is configured as it was. Else the request must be read anew. */
  get holds(): boolean {
    return !this.session.hasEnded && this.#find(this.session.session.target.name) === this.target;
  }

  /** What it asks for, where that is the same as it was. */
  asked(session: PipelineSession): AskedRequest | undefined {
    return this.#asked !== undefined && this.#asked.by === this.target.asksBy?.(session) ? this.#asked.asked : undefined;
  }

  keep(session: PipelineSession, asked: AskedRequest): void {
    const by = this.target.asksBy?.(session);
    this.#asked = by === undefined ? undefined : { by, asked };
  }
}

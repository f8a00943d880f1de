import { cut } from '../core/cut.ts';
import type { Act, Facts, Operation, UnmaskedOperation } from '../core/operation.ts';
import type { Protocol } from '../core/target.ts';
import { lengthPrefixed } from './exact.ts';
import type { AskingSession } from './request.ts';

/** One request as its protocol understands it. */
export interface UnderstoodRequest {
  readonly protocol: Protocol;
  /** With everything sensitive masked, as it goes on record. */
  readonly question: { readonly acts: readonly Act[]; readonly facts: Facts };
  readonly pureRead: boolean;
  /** The same for people and the record. */
  readonly recorded: { readonly text: string; readonly parameters?: readonly (string | null)[] | undefined };
  readonly dataClasses: readonly string[];
  /** The same object for the same question (`Operation.cacheKey`). Absent: there is none. */
  readonly cacheKey?: object;
  /** One object for all operations that are made of this. Absent: there is one. */
  readonly sameExact?: { digest?: string };
  /** With nothing masked, for the reviewer who decides on it. */
  unmasked(): { readonly text: string; readonly parameters?: readonly string[] };
  /** What an approval binds: everything that the target acts by. A request that differs in any of it is another one, and is held anew. */
  bound(): readonly (string | Uint8Array)[];
}

/** Makes the operation that policy decides on. */
export function requestOperation(session: AskingSession, request: UnderstoodRequest): Operation {
  const { protocol, question, pureRead, recorded, dataClasses, cacheKey } = request;
  return {
    id: session.nextOperationId(),
    sessionId: session.id,
    protocol,
    acts: question.acts,
    facts: question.facts,
    pureRead,
    naming: false,
    text: cut(recorded.text, maxRecordedText),
    // Never: the text is made of the request, it is not the request, and leaves out fields that tell people nothing.
    textIsExact: false,
    parameters: recorded.parameters,
    dataClasses,
    cacheKey,
    exact: () => lengthPrefixed(request.bound()),
    sameExact: request.sameExact,
    unmasked(): UnmaskedOperation {
      const { text, parameters = [] } = request.unmasked();
      return { text, runs: [], parameters };
    },
  };
}

const maxRecordedText = 32_768;

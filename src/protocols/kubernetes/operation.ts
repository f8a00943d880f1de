import { cut } from '../../core/cut.ts';
import type { OpenSession } from '../../core/effect.ts';
import type { Act, Facts, Operation, UnmaskedOperation } from '../../core/operation.ts';
import type { Question } from './facts.ts';

export interface OperationParts {
  readonly question: Question;
  readonly pureRead: boolean;
  readonly dataClasses: readonly string[];
  /** Masked, for the record. */
  readonly text: () => string;
  /** With nothing masked, for the reviewer. */
  readonly exactText: () => string;
  /** What an approval binds. */
  readonly exact: () => Uint8Array;
}

/** Makes the operation that policy decides on. `question`: with everything sensitive masked, as it goes on record. */
export function kubernetesOperation(session: OpenSession, parts: OperationParts): Operation {
  return new KubernetesOperation(session, parts);
}

class KubernetesOperation implements Operation {
  readonly id: string;
  readonly sessionId: string;
  readonly protocol = 'kubernetes';
  readonly acts: readonly Act[];
  readonly facts: Facts;
  readonly pureRead: boolean;
  readonly naming = false;
  readonly text: string;
  /** Never: the text leaves out fields that tell people nothing. */
  readonly textIsExact = false;
  readonly dataClasses: readonly string[];
  readonly #parts: OperationParts;

  constructor(session: OpenSession, parts: OperationParts) {
    this.id = session.nextOperationId();
    this.sessionId = session.id;
    this.acts = parts.question.acts;
    this.facts = parts.question.facts;
    this.pureRead = parts.pureRead;
    this.text = cut(parts.text(), maxRecordedText);
    this.dataClasses = parts.dataClasses;
    this.#parts = parts;
  }

  exact(): Uint8Array {
    return this.#parts.exact();
  }

  unmasked(): UnmaskedOperation {
    return { text: this.#parts.exactText(), runs: [], parameters: [] };
  }
}

const maxRecordedText = 32_768;

import type { OpenSession } from '../../core/effect.ts';
import { cut } from '../../core/cut.ts';
import type { Act, Facts, Operation, UnmaskedOperation } from '../../core/operation.ts';
import { maskProse } from '../../masking/text.ts';
import { lengthPrefixed } from '../exact.ts';
import { remoteUserActs } from './acts.ts';
import type { SshContext } from './context.ts';

export interface SshQuestion {
  readonly acts: readonly Act[];
  readonly facts: Facts;
  /** For people: what is asked, nothing masked. */
  readonly text: string;
  /** Variables, `NAME=value`. */
  readonly parameters?: readonly string[];
  /** Everything by which two questions with the same acts differ: what an approval binds, besides the remote user. */
  readonly exact: readonly (string | Uint8Array)[];
}

/** Makes the operation that policy decides on. Who it runs as is asked and bound with everything. */
export function sshOperation(context: SshContext, question: SshQuestion): Operation {
  return new SshOperation(context.session, context, question);
}

class SshOperation implements Operation {
  readonly id: string;
  readonly sessionId: string;
  readonly protocol = 'ssh';
  readonly acts: readonly Act[];
  readonly facts: Facts;
  readonly pureRead = false;
  readonly naming = false;
  readonly text: string;
  readonly textIsExact: boolean;
  readonly parameters: readonly string[] | undefined;
  readonly dataClasses: readonly string[] = [];
  readonly #question: SshQuestion;
  readonly #remoteUser: string;

  constructor(session: OpenSession, context: SshContext, question: SshQuestion) {
    const { remoteUser, isOwnUser, classes, recordDetectors } = context;
    this.id = session.nextOperationId();
    this.sessionId = session.id;
    this.acts = [...question.acts, ...remoteUserActs(session.target.name, remoteUser, isOwnUser)];
    this.facts = { ...question.facts, remote_user: remoteUser };
    const masked = (text: string): string => cut(maskProse(classes, recordDetectors, text), maxRecordedCharacters);
    this.text = masked(question.text);
    this.parameters = question.parameters?.map(masked);
    this.textIsExact =
      this.text === question.text && (this.parameters ?? []).every((value, index) => value === question.parameters?.[index]);
    this.#question = question;
    this.#remoteUser = remoteUser;
  }

  exact(): Uint8Array {
    return lengthPrefixed(['ssh', this.#remoteUser, ...this.#question.exact]);
  }

  unmasked(): UnmaskedOperation {
    return { text: this.#question.text, runs: [], parameters: this.#question.parameters ?? [] };
  }
}

const maxRecordedCharacters = 32_768;

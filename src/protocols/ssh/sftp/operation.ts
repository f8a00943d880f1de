import { cut } from '../../../core/cut.ts';
import type { Act, ActionName, Facts, Operation, UnmaskedOperation } from '../../../core/operation.ts';
import { maskProse } from '../../../masking/text.ts';
import { lengthPrefixed } from '../../exact.ts';
import { remoteUserActs } from '../acts.ts';
import type { SshContext } from '../context.ts';
import type { RunningParts } from '../running.ts';
import type { Attributes } from './messages.ts';
import type { FileObjects } from './path.ts';

/** What is asked about files. */
export interface FileQuestion {
  readonly acts: readonly Act[];
  readonly facts: Facts;
  readonly pureRead: boolean;
  /** For people, nothing masked. */
  readonly text: string;
  /** What an approval binds besides the text: everything in which two requests with the same text may differ. */
  readonly exact: readonly (string | Uint8Array)[];
}

/**
 * A question as it is put to policy, made once for equal questions: acts and facts are the same objects whenever the same is asked again, by which policy and the log know
 * them again.
 */
export interface PreparedQuestion {
  readonly question: FileQuestion;
  readonly acts: readonly Act[];
  readonly facts: Facts;
  readonly text: string;
}

/** `reason`: why the client opened the channel, as it stated it. */
export function prepareQuestion({ context, reason }: Pick<RunningParts, 'context' | 'reason'>, question: FileQuestion): PreparedQuestion {
  const { remoteUser, isOwnUser, classes, recordDetectors, session } = context;
  return {
    question,
    acts: [...question.acts, ...remoteUserActs(session.target.name, remoteUser, isOwnUser)],
    facts: { ...question.facts, remote_user: remoteUser, ...(reason === undefined ? {} : { reason }) },
    text: cut(maskProse(classes, recordDetectors, question.text), maxRecordedCharacters),
  };
}

export class FileOperation implements Operation {
  readonly id: string;
  readonly sessionId: string;
  readonly protocol = 'ssh';
  readonly acts: readonly Act[];
  readonly facts: Facts;
  readonly pureRead: boolean;
  readonly naming = false;
  readonly text: string;
  readonly textIsExact: boolean;
  readonly dataClasses: readonly string[] = noClasses;
  readonly cacheKey: object;
  readonly #question: FileQuestion;
  readonly #remoteUser: string;

  constructor({ session, remoteUser }: SshContext, prepared: PreparedQuestion) {
    this.id = session.nextOperationId();
    this.sessionId = session.id;
    this.acts = prepared.acts;
    this.facts = prepared.facts;
    this.pureRead = prepared.question.pureRead;
    this.text = prepared.text;
    this.textIsExact = prepared.text === prepared.question.text;
    this.cacheKey = prepared;
    this.#question = prepared.question;
    this.#remoteUser = remoteUser;
  }

  exact(): Uint8Array {
    return lengthPrefixed([
      'ssh files 1',
      this.#remoteUser,
      String(this.facts['reason'] ?? ''),
      this.#question.text,
      ...this.#question.exact,
    ]);
  }

  unmasked(): UnmaskedOperation {
    return { text: this.#question.text, runs: [], parameters: [] };
  }
}

export function fileActs(objects: FileObjects, paths: readonly string[], ...actions: readonly ActionName[]): readonly Act[] {
  return paths.flatMap((path) => actions.map((action) => ({ action, object: objects.of(path) })));
}

/** A path on one line in which nothing can be taken for anything else. */
export function quoted(path: string): string {
  return /^[A-Za-z0-9_@%+=:,./~-]+$/.test(path) ? path : JSON.stringify(path);
}

/** What attributes would be set, for people and as facts. */
export function describeAttributes({ size, owner, permissions, times }: Attributes): { readonly text: string; readonly facts: Facts } {
  const mode = permissions === undefined ? undefined : octal(permissions);
  const parts = [
    ...(mode === undefined ? [] : [`mode ${mode}`]),
    ...(owner === undefined ? [] : [`owner ${owner.user}:${owner.group}`]),
    ...(size === undefined ? [] : [`size ${size}`]),
    ...(times === undefined ? [] : [`times ${timeText(times.access)} ${timeText(times.modification)}`]),
  ];
  return { text: parts.join(', '), facts: mode === undefined ? {} : { file_mode: mode } };
}

/** Set user id, set group id, sticky and the nine permissions. */
function octal(permissions: number): string {
  return (permissions & 0o7777).toString(8).padStart(4, '0');
}

function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19);
}

const noClasses: readonly string[] = [];
const maxRecordedCharacters = 32_768;

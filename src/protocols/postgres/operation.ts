import type { OpenSession } from '../../core/effect.ts';
import { cut, cutAll } from '../../core/cut.ts';
import type { Act, Facts, Operation, UnmaskedOperation } from '../../core/operation.ts';
import type { Target } from '../../core/target.ts';
import { maskProse } from '../../masking/text.ts';
import { lengthPrefixed } from '../exact.ts';
import { redactParameters, redactStatement, type BoundParameter, type MaskContext, type MaskFacts } from './mask.ts';
import type { SourceText } from './names.ts';
import { policyFacts } from './policy-facts.ts';
import type { Understanding } from './understanding.ts';

/** One statement text about to be prepared or run, and what was bound to it. */
export interface Asked {
  readonly text: string;
  /** How `text` stands on record, where that was settled when it was sent (`PreparedStatement.recorded`). */
  readonly recorded?: string | undefined;
  /** The texts behind the names that it runs (EXECUTE, FETCH): decided and approved with it. */
  readonly behind?: readonly SourceText[] | undefined;
  /** Undefined where it could not be understood: the operation only goes on record as refused. */
  readonly understanding: Understanding | undefined;
  readonly parameters: readonly BoundParameter[];
  /** Bind's parameters and formats as they came, names left out; empty without Bind. */
  readonly binding: Uint8Array;
  /** It is only being prepared. */
  readonly naming: boolean;
  /** It runs by a name given earlier. */
  readonly prepared: boolean;
}

/** Makes the operation that policy decides on. */
export function postgresOperation(session: OpenSession, masks: MaskContext, asked: Asked, stated: string | undefined): Operation {
  return new PostgresOperation(session, masks, asked, stated);
}

/** A class, so that all operations have one shape and no closures: one is made for every statement. */
class PostgresOperation implements Operation {
  readonly id: string;
  readonly sessionId: string;
  readonly protocol = 'postgres';
  readonly acts: readonly Act[];
  readonly facts: Facts;
  readonly pureRead: boolean;
  readonly naming: boolean;
  readonly ends: boolean;
  readonly text: string;
  readonly textIsExact: boolean;
  readonly parameters: readonly (string | null)[] | undefined;
  readonly runs: readonly string[] | undefined;
  readonly dataClasses: readonly string[];
  readonly cacheKey: object | undefined;
  readonly #asked: Asked;

  constructor(session: OpenSession, masks: MaskContext, asked: Asked, stated: string | undefined) {
    const { understanding, parameters } = asked;
    const facts = understanding?.recordFacts ?? unknownFacts;
    const question = questionOf(masks, understanding, stated);
    const { text, exact } = recordedText(masks, facts, asked);
    const runs = recordedRuns(masks, facts, asked);
    this.id = session.nextOperationId();
    this.sessionId = session.id;
    this.acts = understanding === undefined || understanding.acts.length === 0 ? connectActs(session.target) : understanding.acts;
    this.facts = question.facts;
    this.pureRead = understanding?.pureRead ?? false;
    this.naming = asked.naming;
    this.ends = understanding?.ends ?? false;
    this.text = cut(text, maxRecordedText);
    this.textIsExact = exact && text.length <= maxRecordedText && parameters.length === 0 && runs === undefined;
    this.parameters = parameters.length === 0 ? undefined : redactParameters(masks, facts, asked.text, parameters);
    this.runs = runs;
    this.dataClasses = understanding?.classes ?? [];
    this.cacheKey = question.key;
    this.#asked = asked;
  }

  exact(): Uint8Array {
    const { text, binding, behind = [] } = this.#asked;
    return lengthPrefixed([text, ...behind.map((each) => each.text), binding]);
  }

  unmasked(): UnmaskedOperation {
    const { text, behind = [], parameters } = this.#asked;
    return { text, runs: behind.map((each) => each.text), parameters: parameters.map(forReview) };
  }
}

interface Question {
  readonly facts: Facts;
  /** The same for the same question, so that its answer can be remembered under it. */
  readonly key: object | undefined;
}

/** The facts with the reason among them, masked as what goes on record is. The last one of each statement is kept. */
function questionOf(masks: MaskContext, understanding: Understanding | undefined, stated: string | undefined): Question {
  const facts = understanding === undefined ? unknownStatement : policyFacts(understanding);
  if (stated === undefined) return { facts, key: understanding };
  const known = understanding === undefined ? undefined : reasoned.get(understanding);
  if (known?.stated === stated) return known;
  const made = { stated, facts: { ...facts, reason: maskProse(masks.classes, masks.record.detectors, stated) }, key: {} };
  if (understanding !== undefined) reasoned.set(understanding, made);
  return made;
}

/**
 * What has no act of its own (BEGIN, COMMIT, an empty statement) asks what every use of the target needs. The same array each time, by which the log knows
 * what it has encoded already.
 */
function connectActs(target: Target): readonly Act[] {
  let acts = connects.get(target);
  if (acts === undefined) connects.set(target, (acts = [{ action: 'connect', object: { type: 'Target', id: target.name } }]));
  return acts;
}

/** The text as it goes on record. */
function recordedText(masks: MaskContext, facts: MaskFacts, { text, recorded }: Asked): { readonly text: string; readonly exact: boolean } {
  return recorded === undefined ? redactStatement(masks, facts, text) : { text: recorded, exact: recorded === text };
}

/** What it runs by name as that goes on record: with a length of its own, so that no comment of the client's makes too long what is shown. */
function recordedRuns(masks: MaskContext, facts: MaskFacts, { behind }: Asked): readonly string[] | undefined {
  if (behind === undefined || behind.length === 0) return undefined;
  const texts = behind.map((each) => each.recorded ?? redactStatement(masks, facts, each.text).text);
  return cutAll(texts, maxRecordedText);
}

/** A bound parameter as the reviewer sees it: text as sent, binary in hexadecimal. */
function forReview({ bytes, format }: BoundParameter): string | null {
  if (bytes === null) return null;
  return format === 0 ? lenient.decode(bytes) : `\\x${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

const unknownStatement: Facts = { protocol: 'postgres' };
const reasoned = new WeakMap<Understanding, Question & { readonly stated: string }>();
const connects = new WeakMap<Target, readonly Act[]>();
const unknownFacts = { mentions: [], mentionsAll: true, relations: [], written: [], behind: [], beyond: true, opaque: true };
const lenient = new TextDecoder();
const maxRecordedText = 32_768;

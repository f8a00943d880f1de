import { cut } from '../../core/cut.ts';
import type { OpenSession } from '../../core/effect.ts';
import type { Act, Facts, Operation, UnmaskedOperation } from '../../core/operation.ts';
import { joined } from '../http/operation.ts';
import type { ReceivedRequest } from '../request.ts';
import { isPureRead, type Question } from './acts.ts';
import type { ContainerMasks } from './masks.ts';
import { boundFields, exactText, type RecordedText } from './record-text.ts';
import type { Understood } from './understand.ts';

export interface OperationParts {
  readonly understood: Understood;
  readonly request: ReceivedRequest;
  /** With everything sensitive masked, as it goes on record. */
  readonly question: Question;
  readonly recorded: RecordedText;
  readonly masks: ContainerMasks;
}

/** The operation that policy decides on. */
export class CosmosOperation implements Operation {
  readonly id: string;
  readonly sessionId: string;
  readonly protocol = 'cosmos';
  readonly acts: readonly Act[];
  readonly facts: Facts;
  readonly pureRead: boolean;
  readonly naming = false;
  readonly text: string;
  /** Never: the text leaves out fields that tell people nothing. */
  readonly textIsExact = false;
  readonly parameters: readonly (string | null)[] | undefined;
  readonly dataClasses: readonly string[];
  readonly #request: ReceivedRequest;
  readonly #understood: Understood;

  constructor(session: OpenSession, { understood, request, question, recorded, masks }: OperationParts) {
    this.id = session.nextOperationId();
    this.sessionId = session.id;
    this.acts = question.acts;
    this.facts = question.facts;
    this.pureRead = isPureRead(understood);
    this.text = cut(recorded.text, maxRecordedText);
    this.parameters = recorded.parameters;
    this.dataClasses = [...new Set(masks.rules.map(({ rule }) => rule.class))];
    this.#request = request;
    this.#understood = understood;
  }

  /** Method, path, bound fields and body, each with its length in front. */
  exact(): Uint8Array {
    const { method, target } = this.#request;
    const fields = boundFields(this.#understood.headers.forwarded).flatMap(({ name, value }) => [name, value]);
    const texts = ['cosmos 1', method, target.path, String(fields.length / 2), ...fields];
    return joined([...texts.map((text) => encoder.encode(text)), bodyOf(this.#request)]);
  }

  unmasked(): UnmaskedOperation {
    const { body } = this.#understood;
    const isQuery = body.kind === 'query' || body.kind === 'metadata-query';
    return {
      text: exactText(this.#understood, isQuery ? body.body.query : decoder.decode(bodyOf(this.#request))),
      runs: [],
      parameters: isQuery ? body.body.parameters.map(({ name, value }) => `${name} = ${JSON.stringify(value)}`) : [],
    };
  }
}

function bodyOf({ body }: ReceivedRequest): Uint8Array {
  return body.kind === 'whole' ? body.bytes : new Uint8Array(0);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const maxRecordedText = 32_768;

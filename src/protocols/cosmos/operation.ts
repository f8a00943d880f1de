import type { Operation } from '../../core/operation.ts';
import { requestOperation } from '../request-operation.ts';
import type { AskingSession, ReceivedRequest } from '../request.ts';
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

/** Makes the operation that policy decides on. */
export function cosmosOperation(session: AskingSession, { understood, request, question, recorded, masks }: OperationParts): Operation {
  return requestOperation(session, {
    protocol: 'cosmos',
    question,
    pureRead: isPureRead(understood),
    recorded,
    dataClasses: [...new Set(masks.rules.map(({ rule }) => rule.class))],
    unmasked: () => exactParts(understood, bodyOf(request)),
    bound: () => boundParts(request, understood),
  });
}

/** Method, path, bound fields and body. */
function boundParts(request: ReceivedRequest, { headers }: Understood): readonly (string | Uint8Array)[] {
  const fields = boundFields(headers.forwarded).flatMap(({ name, value }) => [name, value]);
  return ['cosmos 1', request.method, request.target.path, String(fields.length / 2), ...fields, bodyOf(request)];
}

function exactParts(understood: Understood, bytes: Uint8Array): { readonly text: string; readonly parameters?: readonly string[] } {
  const { body } = understood;
  if (body.kind !== 'query' && body.kind !== 'metadata-query') return { text: exactText(understood, decoder.decode(bytes)) };
  const { query, parameters } = body.body;
  return { text: exactText(understood, query), parameters: parameters.map(({ name, value }) => `${name} = ${JSON.stringify(value)}`) };
}

function bodyOf({ body }: ReceivedRequest): Uint8Array {
  return body.kind === 'whole' ? body.bytes : nothing;
}

const decoder = new TextDecoder();
const nothing = new Uint8Array(0);

import { toFault } from '../../core/fault.ts';
import type { AskedRequest, HeaderField, ReceivedRequest } from '../request.ts';
import { questionOf } from './acts.ts';
import type { CosmosEnvironment } from './environment.ts';
import { askedOf, refusalOf } from './judge.ts';
import { answerPlan } from './mask.ts';
import { masksOf, recordMasksOf } from './masks.ts';
import { cosmosOperation } from './operation.ts';
import { exactParts, recordedParts, recordedText } from './record-text.ts';
import { refusedRequest } from './refused.ts';
import { sampleOf } from './sample.ts';
import { understand } from './understand.ts';

/** What a request asks of Cosmos DB, and what becomes of its answer. Pure. */
export function askCosmos(request: ReceivedRequest, environment: CosmosEnvironment): AskedRequest {
  try {
    return understoodRequest(request, environment);
  } catch (error) {
    return refusedRequest(request, environment, toFault(error));
  }
}

function understoodRequest(request: ReceivedRequest, environment: CosmosEnvironment): AskedRequest {
  const { target } = environment;
  const understood = understand(request);
  const masks = masksOf(environment, understood.resource);
  const record = recordMasksOf(environment, understood.resource);
  const asked = askedOf(understood, record);
  const [shown, exact] = [recordedParts(understood, record), exactParts(understood)];
  const question = questionOf(understood, target.name, asked, shown);
  const recorded = recordedText(understood, shown, record);
  const isTheSame = shown.path === exact.path && shown.partitionKey === exact.partitionKey;
  return {
    operation: (session) => cosmosOperation(session, { understood, request, question, recorded, masks }),
    unmasked: isTheSame ? undefined : questionOf(understood, target.name, asked, { ...exact, reason: shown.reason }),
    refusal: refusalOf(understood, target, masks),
    upstream: {
      method: request.method,
      target: `${target.basePath}${request.target.path}`,
      fields: [...understood.headers.forwarded, ...own],
    },
    answer: (head) => answerPlan(head, { understood, masks, base: request.base }),
    sample: (head, window) => sampleOf(head, window, { understood, masks: record, base: request.base }),
  };
}

/** Answers come as JSON that can be read. */
const own: readonly HeaderField[] = [
  { name: 'accept', value: 'application/json' },
  { name: 'accept-encoding', value: 'identity' },
  { name: 'x-ms-cosmos-supported-serialization-formats', value: 'JsonText' },
];

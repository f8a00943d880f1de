import { GatewayFault } from '../../core/fault.ts';
import { isObject, type Json } from './json-body.ts';

/** The query that a body holds (Microsoft Learn, "Query documents"). */
export interface QueryBody {
  readonly query: string;
  readonly parameters: readonly { readonly name: string; readonly value: Json }[];
}

/** Throws `unclassified` for a body of another form. */
export function queryBodyOf(body: Json): QueryBody {
  if (!isObject(body) || typeof body['query'] !== 'string') throw unknownForm();
  if (Object.keys(body).some((key) => key !== 'query' && key !== 'parameters')) throw unknownForm();
  const parameters = body['parameters'] ?? [];
  if (!Array.isArray(parameters)) throw unknownForm();
  return {
    query: body['query'],
    parameters: (parameters as readonly Json[]).map((parameter) => {
      if (!isObject(parameter) || typeof parameter['name'] !== 'string') throw unknownForm();
      return { name: parameter['name'], value: parameter['value'] ?? null };
    }),
  };
}

function unknownForm(): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: 'the body of the query is not { "query": text, "parameters": [{ "name": text, "value": … }] }',
  });
}

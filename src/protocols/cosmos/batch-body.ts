import { GatewayFault } from '../../core/fault.ts';
import { isObject, type Json } from './json-body.ts';

/** One operation of a batch or bulk request. */
export interface BatchOperation {
  readonly kind: 'create' | 'upsert' | 'read' | 'replace' | 'patch' | 'delete';
  readonly body: Json | undefined;
  /** Of the item; undefined where its body has it. */
  readonly id: string | undefined;
}

/** The operations of a batch body in JSON; the binary form (HybridRow) is refused where JSON is read. Throws `unclassified`, `limit-exceeded`. */
export function batchBodyOf(body: Json): readonly BatchOperation[] {
  if (!Array.isArray(body)) throw unknownForm('expected a list of operations');
  const operations = body as readonly Json[];
  if (operations.length > mostOperations) {
    throw new GatewayFault('limit-exceeded', { publicMessage: `the batch has more than ${mostOperations} operations` });
  }
  return operations.map((operation) => {
    const kind = isObject(operation) && typeof operation['operationType'] === 'string' ? KINDS.get(operation['operationType']) : undefined;
    if (kind === undefined || !isObject(operation))
      throw unknownForm('an operation is not one of Create, Upsert, Read, Replace, Patch, Delete');
    if (Object.keys(operation).some((key) => !MEMBERS.has(key))) throw unknownForm('an operation has a member that is not known');
    const resource = operation['resourceBody'];
    if ((resource !== undefined) !== (kind !== 'read' && kind !== 'delete'))
      throw unknownForm('an operation has a body that it does not need, or none');
    const { id } = operation;
    if (id !== undefined && typeof id !== 'string') throw unknownForm('an operation has an id that is no text');
    return { kind, body: resource, id };
  });
}

function unknownForm(problem: string): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: `the batch cannot be understood with certainty: ${problem}`,
    hint: 'Batches are passed in JSON, as the SDKs for JavaScript and Python send them.',
  });
}

/** What Cosmos DB takes. */
const mostOperations = 100;
const KINDS: ReadonlyMap<string, BatchOperation['kind']> = new Map([
  ['Create', 'create'],
  ['Upsert', 'upsert'],
  ['Read', 'read'],
  ['Replace', 'replace'],
  ['Patch', 'patch'],
  ['Delete', 'delete'],
]);
const MEMBERS: ReadonlySet<string> = new Set(['operationType', 'id', 'partitionKey', 'resourceBody', 'ifMatch', 'ifNoneMatch']);

import { GatewayFault } from '../../core/fault.ts';
import { askedClasses, rowMasks } from './mask-query.ts';
import { writeRefusal } from './mask-write.ts';
import { containerRefusal } from './container-body.ts';
import type { CosmosTarget } from './environment.ts';
import type { ContainerMasks } from './masks.ts';
import { patchRefusal, type PatchBody } from './patch-body.ts';
import { isPureRead } from './acts.ts';
import type { Understood } from './understand.ts';

/** Data classes of places that a request asks something of without being shown them. With the masks of the record: whoever may see them. */
export function askedOf({ body }: Understood, masks: ContainerMasks): readonly string[] {
  switch (body.kind) {
    case 'query':
      return askedClasses(body.lineage, masks);
    case 'patch':
      return conditionClasses([body.body], masks);
    case 'batch':
      return conditionClasses(
        body.operations.flatMap(({ patch }) => patch ?? []),
        masks,
      );
    case 'none':
    case 'metadata-query':
    case 'item':
    case 'parameters':
    case 'definition':
      return [];
    default:
      return body satisfies never;
  }
}

/** Why the protocol itself refuses a request, whatever policy says. */
export function refusalOf(understood: Understood, target: CosmosTarget, masks: ContainerMasks): GatewayFault | undefined {
  if (target.readOnly && !isPureRead(understood)) {
    return new GatewayFault('read-only', { publicMessage: 'this target is for reading only, and this may write' });
  }
  const { resource, kind, body } = understood;
  if (target.database !== undefined && resource.type !== '' && (resource.database ?? resource.id) !== target.database) {
    return new GatewayFault('policy-denied', { publicMessage: `only the database ${target.database} is served here` });
  }
  const hidden = masks.masksComputed ? masks.rules[0]?.rule.class : undefined;
  if (hidden !== undefined && kind === 'execute') return cannotBeMasked('a stored procedure can give it back under any name', hidden);
  if (hidden !== undefined && resource.type === 'conflicts' && kind !== 'delete')
    return cannotBeMasked('conflicts hold items as text', hidden);
  const asked = masks.isStrict && body.kind !== 'query' ? askedOf(understood, masks) : [];
  if (asked.length > 0) return cannotBeMasked('it stands in a condition, and masking is strict', asked.join(', '));
  return bodyRefusal(understood, masks);
}

function bodyRefusal({ resource, kind, body }: Understood, masks: ContainerMasks): GatewayFault | undefined {
  switch (body.kind) {
    case 'query': {
      const rows = resource.type === 'docs' ? rowMasks(body.lineage, masks) : undefined;
      return rows instanceof GatewayFault ? rows : undefined;
    }
    case 'patch':
      return patchRefusal(body.body, masks);
    case 'item':
      return writeRefusal(body.item, masks, kind !== 'create');
    case 'batch':
      return firstOf(body.operations, ({ operation, patch }) => {
        if (patch !== undefined) return patchRefusal(patch, masks);
        return operation.body === undefined ? undefined : writeRefusal(operation.body, masks, operation.kind !== 'create');
      });
    case 'definition':
      return resource.type === 'colls' ? containerRefusal(body.definition, masks) : undefined;
    case 'none':
    case 'metadata-query':
    case 'parameters':
      return undefined;
    default:
      return body satisfies never;
  }
}

function conditionClasses(patches: readonly PatchBody[], masks: ContainerMasks): readonly string[] {
  return [...new Set(patches.flatMap(({ condition }) => (condition === undefined ? [] : askedClasses(condition, masks))))];
}

function firstOf<T>(list: readonly T[], refusal: (one: T) => GatewayFault | undefined): GatewayFault | undefined {
  for (const one of list) {
    const found = refusal(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

function cannotBeMasked(why: string, hidden: string): GatewayFault {
  return new GatewayFault('masking-refused', { publicMessage: `${hidden} is hidden from you in this container: ${why}` });
}

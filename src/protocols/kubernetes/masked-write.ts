import { GatewayFault } from '../../core/fault.ts';
import type { MaskRule } from '../../masking/mask.ts';
import type { QueryParameter } from '../http/path.ts';
import { fromBase64 } from '../base64.ts';
import type { SentBody } from './body.ts';
import type { JsonNode } from './json-tree.ts';
import { LAST_APPLIED, MaskWalk, type Leaf, type Visitor } from './mask-walk.ts';
import type { KubernetesMasks, ObjectPlace, PlaceRule } from './masks.ts';
import { blindSources, isIndex, readPatch } from './patch.ts';
import { parameterOf, selectorTerms } from './request-info.ts';

/**
 * Why an object with places that its principal may not see is not asked for, or not written, in this way. A value that is not shown can be learned without
 * being shown: by copying it to a place that is, by asking whether it equals another, by having it select what is listed. And one that was shown masked
 * would take the place of the real one when the object is sent back.
 */
export function refusedForMasks(
  masks: KubernetesMasks,
  place: ObjectPlace,
  body: SentBody,
  parameters: readonly QueryParameter[],
): GatewayFault | undefined {
  const rules = masks.rulesOf(place);
  if (rules.length === 0) return undefined;
  const selects = selectorTerms(parameterOf(parameters, 'fieldSelector') ?? '').some(({ field }) => !HARMLESS.test(field));
  if (selects)
    return refused('a field selector could tell what values are hidden', 'Select by metadata.name, metadata.namespace or labels.');
  const byLabels = rules.some(({ steps: [first, second] }) => first === 'metadata' && (second === undefined || second === 'labels'));
  if (byLabels && (parameterOf(parameters, 'labelSelector') ?? '') !== '')
    return refused('a label selector could tell what labels are hidden');
  switch (body.kind) {
    case 'none':
      return undefined;
    case 'unseen':
      return refused('the gateway cannot read what is written to an object with hidden values');
    case 'operations': {
      const operations = readPatch(body.value);
      if (operations !== undefined && !blindSources(operations).some((pointer) => reachesHidden(rules, pointer))) return undefined;
      return refused('a JSON patch that copies, moves or tests a hidden value would tell what it is', 'Use a merge patch.');
    }
    case 'object':
    case 'merge':
      if (body.isPartial)
        return refused('the gateway cannot read all that is written to an object with hidden values', 'Send JSON (kubectl apply does).');
      return writesMask(masks, place, body.tree) ? overwrites() : undefined;
    default:
      return body satisfies never;
  }
}

/** Whether a pointer (RFC 6901) names a hidden place, one inside of it, or one that holds it; also where a copy of its value may stand. */
function reachesHidden(rules: readonly PlaceRule[], pointer: readonly string[]): boolean {
  return [...rules.map(({ steps }) => steps), ...COPIES].some((steps) => meets(steps, pointer));
}

/** As masking follows a path: elements of lists on the way to a member are looked into. Any index may mean any element once operations before have moved them. */
function meets(steps: PlaceRule['steps'], pointer: readonly string[]): boolean {
  let reached: ReadonlySet<number> = new Set([0]);
  for (const token of pointer) {
    const next = new Set<number>();
    for (const at of reached) {
      if (at === steps.length) return true;
      const step = steps[at];
      if (typeof step !== 'string' || step === token) next.add(at + 1);
      if (typeof step === 'string' && isIndex(token)) next.add(at);
    }
    reached = next;
  }
  return reached.size > 0;
}

function writesMask(masks: KubernetesMasks, place: ObjectPlace, tree: JsonNode): boolean {
  const seen = new Hidden();
  new MaskWalk(masks, seen).document(tree, place);
  return seen.looksMasked;
}

/** Looks at what is sent for hidden places. */
class Hidden implements Visitor {
  looksMasked = false;

  hidden({ node, isCoded }: Leaf, rule: PlaceRule['rule']): void {
    if (node.kind !== 'string' || rule === undefined) return;
    const bytes = isCoded ? fromBase64(node.value) : undefined;
    const text = isCoded ? (bytes === undefined ? '' : lenient.decode(bytes)) : node.value;
    if (isMasked(rule.kind, text)) this.looksMasked = true;
  }

  open(): void {}
  name(): void {}
  nested(): void {}
  cell(): void {}
  managed(): void {}
}

/** A pseudonym looks like any value. */
function isMasked(kind: MaskRule['kind'], text: string): boolean {
  switch (kind) {
    case 'redact':
      return /\[redacted:[a-z0-9_-]+\]/.test(text);
    case 'partial-last4':
      return /^[*\s./()+@_,:-]*\*[*\s./()+@_,:-]*[\p{L}\p{N}]{0,4}$/u.test(text) || /\[redacted:/.test(text);
    case 'hash':
      return /^hash:[0-9a-f]{16}$/.test(text) || /\[redacted:/.test(text);
    case 'pseudonym':
    case 'null':
      return /\[redacted:/.test(text);
    default:
      return kind satisfies never;
  }
}

export function overwrites(): GatewayFault {
  return refused(
    'a value that was shown masked would be written in place of the real one',
    'Send only what changes (kubectl patch, label, annotate, apply), not the object as it was shown.',
  );
}

export function refused(why: string, hint?: string): GatewayFault {
  return new GatewayFault('masking-refused', {
    publicMessage: `values of this object are hidden from you: ${why}`,
    ...(hint === undefined ? {} : { hint }),
  });
}

const lenient = new TextDecoder();
/** Where values of an object stand besides. */
const COPIES: readonly PlaceRule['steps'][] = [
  ['metadata', 'annotations', LAST_APPLIED],
  ['metadata', 'managedFields'],
];
const HARMLESS = /^(?:metadata\.(?:name|namespace)|type)$/;

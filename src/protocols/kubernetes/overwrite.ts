import { GatewayFault } from '../../core/fault.ts';
import { fromBase64 } from '../base64.ts';
import type { SentBody } from './body.ts';
import { memberOf, parseTree, type JsonNode } from './json-tree.ts';
import type { LiveObject } from './live-object.ts';
import { objectEdits, type Edit } from './mask-object.ts';
import { overwrites, refused } from './masked-write.ts';
import type { KubernetesMasks, ObjectPlace } from './masks.ts';
import { blindSources, readPatch } from './patch.ts';

/**
 * Why something is not written over an object of which its principal does not see everything, going by the object as it is: what it holds is masked as it would be shown,
 * so that it is known which masks its principal can have seen, whatever hides the values (a place, or a detector), and whatever the kind of the mask.
 *
 * - A text that holds one of these masks came from there. It would take the place of the value.
 * - A JSON patch that copies, moves or tests something that is hidden tells what it is.
 *
 * A mask that the object has as a value of its own too is left alone, and one of fewer than six characters counts only where it is all of a text.
 */
export function refusedForLive(masks: KubernetesMasks, place: ObjectPlace, body: SentBody, live: LiveObject): GatewayFault | undefined {
  if (body.kind === 'none' || live.kind === 'missing') return undefined;
  if (live.kind === 'unknown') return objectUnknown();
  const seen = new Set<string>();
  const edits = objectEdits(noting(masks, seen), place, live.text);
  const tree = parseTree(live.text);
  if (edits === undefined || tree === undefined) return refused('the gateway cannot read the object that is there');
  if (edits.length === 0) return undefined;
  if (body.kind === 'unseen' || body.isPartial)
    return refused('the gateway cannot read all that is written to an object with hidden values', 'Send JSON.');
  if (body.kind === 'operations') {
    const sources = blindSources(readPatch(body.value) ?? []);
    if (sources.some((pointer) => nodesAt(tree, pointer).some((node) => edits.some((edit) => meet(node, edit)))))
      return refused('a JSON patch that copies, moves or tests a hidden value would tell what it is', 'Use a merge patch.');
  }
  if (body.kind === 'object' && writesNull(tree, body.tree, new Set(edits.filter(({ text }) => text === 'null').map(({ start }) => start))))
    return overwrites();
  const [sent, there] = [[...textsOf(body.tree)], [...textsOf(tree)]];
  const characters = [...sent, ...there].reduce((total, text) => total + text.length, 0);
  if (characters * seen.size > mostComparisons) return refused('more values are hidden than can be looked for in what is written');
  const isHeld = (mask: string, texts: readonly string[]): boolean =>
    texts.some((text) => (mask.length < leastInside ? text === mask : text.includes(mask)));
  return [...seen].some((mask) => isHeld(mask, sent) && !isHeld(mask, there)) ? overwrites() : undefined;
}

/** The same masks; each text that stands for a value is noted. */
function noting(masks: KubernetesMasks, seen: Set<string>): KubernetesMasks {
  const { classes } = masks;
  return {
    ...masks,
    classes: {
      ...classes,
      mask(rule, text) {
        const shown = classes.mask(rule, text);
        if (shown !== null && shown !== '' && shown !== text) seen.add(shown);
        return shown;
      },
    },
  };
}

/** Every text in it: names, values, and what is written in base64. */
function* textsOf(node: JsonNode): Generator<string> {
  switch (node.kind) {
    case 'object':
      for (const { name, value } of node.members) {
        yield name;
        yield* textsOf(value);
      }
      return;
    case 'array':
      for (const item of node.items) yield* textsOf(item);
      return;
    case 'string': {
      yield node.value;
      const bytes = fromBase64(node.value.replaceAll(/[\r\n]/g, ''));
      if (bytes !== undefined && bytes.length > 0) yield lenient.decode(bytes);
      return;
    }
    default:
  }
}

/** Sends nothing where a value is that was shown as nothing: whoever sends a whole object takes it away. */
function writesNull(live: JsonNode | undefined, sent: JsonNode, nulled: ReadonlySet<number>): boolean {
  if (live === undefined || nulled.size === 0) return false;
  if (sent.kind === 'literal') return sent.text === 'null' && nulled.has(live.start);
  if (sent.kind === 'object') return sent.members.some(({ name, value }) => writesNull(memberOf(live, name), value, nulled));
  if (sent.kind !== 'array' || live.kind !== 'array') return false;
  return sent.items.some((item, index) => writesNull(live.items[index], item, nulled));
}

/**
 * What a pointer (RFC 6901) may mean when its operation comes to be done: operations before it can have moved elements of lists, so that whatever stands
 * for an index (Kubernetes takes negative ones too) stands for every element.
 */
function nodesAt(tree: JsonNode, pointer: readonly string[]): readonly JsonNode[] {
  return pointer.reduce<readonly JsonNode[]>(
    (nodes, token) => nodes.flatMap((node) => (node.kind === 'array' ? node.items : (memberOf(node, token) ?? []))),
    [tree],
  );
}

function meet(node: JsonNode, edit: Edit): boolean {
  return node.start < edit.end && edit.start < node.end;
}

function objectUnknown(): GatewayFault {
  return new GatewayFault('upstream-unavailable', {
    publicMessage: 'the object that is there cannot be read, and so it cannot be told whether a hidden value would be overwritten',
    hint: 'Who writes to a cluster with hidden values needs "get" on what is written, as the gateway’s own credential does. Try again in a moment.',
  });
}

const lenient = new TextDecoder();
const leastInside = 6;
/** About a second. */
const mostComparisons = 2_000_000_000;

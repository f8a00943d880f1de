import { foldSegment, reachesPath } from '../masking/document-path.ts';
import { compileJsonPath, type JsonPath } from '../masking/json-path.ts';
import type { DocumentPlace } from '../masking/types.ts';
import { MAP_KEY } from './plan.ts';
import { atStart, ended, intoElement, intoEntry, intoMember, intoOtherEntry, namedKeys, together, type Progress } from './progress.ts';
import type { Field, MessageType, Schema } from './schema.ts';

/**
 * The places that name nothing in the schema: a method, type or field was misspelled, or is no longer there, and what was meant to be hidden is
 * shown. What depends on the message (in an Any, a Struct, under the key of a map) counts as there.
 */
export function placesOfNothing(schema: Schema, places: readonly DocumentPlace[]): readonly DocumentPlace[] {
  return places.filter((place) => !namesSomething(schema, place));
}

function namesSomething(schema: Schema, { segments, path }: DocumentPlace): boolean {
  const folded = segments.map(foldSegment);
  const rules = [{ path: compileJsonPath(path) }];
  const roots = [
    ...schema.methods
      .filter(({ service, name }) => reachesPath(folded, [service, name]))
      .flatMap(({ request, response }) => [request, response]),
    ...schema.types.filter(({ name }) => reachesPath(folded, [name])),
  ];
  const seen = new Set<string>();
  return roots.some((type) => reaches(type, [atStart(0)], rules, seen));
}

type Rules = readonly { readonly path: JsonPath }[];

function reaches(type: MessageType, at: Progress, rules: Rules, seen: Set<string>): boolean {
  if (ended(rules, at).length > 0) return true;
  const key = `${type.name} ${at.join(',')}`;
  if (at.length === 0 || seen.has(key)) return false;
  seen.add(key);
  if (type.shape === 'any' || type.shape === 'struct' || type.shape === 'value' || type.shape === 'list') return true;
  return [...type.fields.values()].some((field) => reachesField(field, intoMember(rules, at, field.names), rules, seen));
}

function reachesField(field: Field, at: Progress, rules: Rules, seen: Set<string>): boolean {
  if (ended(rules, at).length > 0) return true;
  if (field.isMap) {
    const keys = [...namedKeys(rules, at)].map((key) => intoEntry(rules, at, key));
    const inside = [...keys, intoOtherEntry(rules, at)].reduce(together);
    const value = [...field.message!.fields.values()].find(({ number }) => number !== MAP_KEY)!;
    return ended(rules, inside).length > 0 || (value.message !== undefined && reaches(value.message, inside, rules, seen));
  }
  const inside = field.isRepeated ? intoElement(rules, at) : at;
  return ended(rules, inside).length > 0 || (field.message !== undefined && reaches(field.message, inside, rules, seen));
}

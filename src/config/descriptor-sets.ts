import { placesOfNothing } from '../protobuf/places.ts';
import { filesOfDescriptors, schemaOfFiles, type Schema } from '../protobuf/schema.ts';
import type { GrpcTargetConfig } from './grpc-target.ts';
import type { Path } from './source.ts';
import type { AddProblem } from './target-kind.ts';
import type { TargetConfig } from './targets.ts';
import type { DataClassConfig } from './types.ts';

/**
 * Reports what is wrong with the descriptor sets of gRPC targets, each at the set itself: a file that is none, or that lacks what it refers to. And places of data
 * classes that name nothing in them: what was meant to be hidden there would be shown.
 */
export function checkDescriptorSets(
  targets: readonly TargetConfig[],
  dataClasses: readonly DataClassConfig[],
  pathsOf: (dataClass: string) => readonly string[],
  add: AddProblem,
): void {
  for (const target of targets) {
    const schema = target.protocol === 'grpc' ? schemaOf(target, add) : undefined;
    if (schema === undefined) continue;
    for (const { name, documents } of dataClasses) {
      const places = documents.filter((place) => place.target === target.name);
      for (const { segments, path } of placesOfNothing(schema, places)) {
        const place = `${target.name}/${segments.join('/')}#${path}`;
        const index = pathsOf(name).indexOf(place);
        add(['data_classes', name, 'paths', ...(index < 0 ? [] : [index])], `${place} names nothing in the descriptors of ${target.name}`);
      }
    }
  }
}

/** Undefined where there is none, and where a problem was found. */
function schemaOf({ name, schema }: GrpcTargetConfig, add: AddProblem): Schema | undefined {
  const sets = schema?.descriptorSets;
  // What could not be read at all is told already.
  if (sets === undefined || sets.some((set) => set.reveal().length === 0)) return undefined;
  const at = ['targets', name, 'schema', 'descriptor_sets'];
  let isGood = true;
  const attempt = <T>(path: Path, reference: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      isGood = false;
      add(path, `${reference}: ${error.message}`);
      return undefined;
    }
  };
  const files = sets.flatMap((set, index) => attempt([...at, index], set.reference, () => filesOfDescriptors(set.reveal())) ?? []);
  return isGood ? attempt(at, sets.map(({ reference }) => reference).join(', '), () => schemaOfFiles(files, schema)) : undefined;
}

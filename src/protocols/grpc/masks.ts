import type { MaskingMode } from '../../core/target.ts';
import type { DataClasses } from '../../masking/classes.ts';
import type { GrpcEnvironment, GrpcMasks, GrpcSchema } from './environment.ts';

interface Remembered {
  readonly schema: GrpcSchema | undefined;
  readonly masks: GrpcMasks;
}

/** What must not be seen by this principal. */
export function masksOf(environment: GrpcEnvironment): GrpcMasks {
  return masks(environment, environment.revealed, environment.target.masking, true);
}

/** For the record and the recording, which have other readers: everything. */
export function recordMasksOf(environment: GrpcEnvironment): GrpcMasks {
  return masks(environment, nothing, 'taint', true);
}

/** For a reviewer, who sees what will run. */
export function noMasksOf(environment: GrpcEnvironment): GrpcMasks {
  return masks(environment, everything(environment), 'unsafe_origin', false);
}

/** The last ones for each set of classes and of those that may be seen: policy gives the same set for the same question. */
function masks(environment: GrpcEnvironment, revealed: ReadonlySet<string>, mode: MaskingMode, leavesOutCredentials: boolean): GrpcMasks {
  const { target, classes, schema } = environment;
  let ofClasses = made.get(classes);
  if (ofClasses === undefined) made.set(classes, (ofClasses = new WeakMap()));
  let ofRevealed = ofClasses.get(revealed);
  if (ofRevealed === undefined) ofClasses.set(revealed, (ofRevealed = new Map()));
  const key = `${mode} ${leavesOutCredentials} ${target.name}`;
  const known = ofRevealed.get(key);
  if (known !== undefined && known.schema === schema) return known.masks;
  const masks = madeMasks(environment, revealed, mode, leavesOutCredentials);
  ofRevealed.set(key, { schema, masks });
  return masks;
}

function madeMasks(
  environment: GrpcEnvironment,
  revealed: ReadonlySet<string>,
  mode: MaskingMode,
  leavesOutCredentials: boolean,
): GrpcMasks {
  const { target, classes, schema } = environment;
  const detectors = classes.detectors.without(mode === 'unsafe_origin' ? everything(environment) : revealed);
  const holdsPlaces = [...classes.documentClasses(target.name), ...(schema?.classes ?? [])].some((name) => !revealed.has(name));
  return {
    target: target.name,
    classes,
    detectors,
    revealed,
    mode,
    leavesOutCredentials,
    holdsPlaces,
    hides: holdsPlaces || !detectors.isEmpty,
  };
}

/** Also the classes that only the schema names. */
function everything({ classes, schema }: GrpcEnvironment): ReadonlySet<string> {
  const key = schema ?? classes;
  let all = names.get(key);
  if (all === undefined) names.set(key, (all = new Set([...classes.names, ...(schema?.classes ?? [])])));
  return all;
}

const nothing: ReadonlySet<string> = new Set();
const made = new WeakMap<DataClasses, WeakMap<ReadonlySet<string>, Map<string, Remembered>>>();
const names = new WeakMap<object, ReadonlySet<string>>();

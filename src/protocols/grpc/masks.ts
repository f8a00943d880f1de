import type { MaskingMode } from '../../core/target.ts';
import type { DataClasses } from '../../masking/classes.ts';
import type { DetectorSet } from '../../masking/detect.ts';
import type { GrpcEnvironment, GrpcMasks } from './environment.ts';

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

function masks(environment: GrpcEnvironment, revealed: ReadonlySet<string>, mode: MaskingMode, leavesOutCredentials: boolean): GrpcMasks {
  const { target, classes, schema } = environment;
  const detectors = detectorsWithout(classes, mode === 'unsafe_origin' ? everything(environment) : revealed);
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

/** The last one for each set of classes: policy gives the same set for the same question. */
function detectorsWithout(classes: DataClasses, revealed: ReadonlySet<string>): DetectorSet {
  let made = detectors.get(classes);
  if (made === undefined) detectors.set(classes, (made = new WeakMap()));
  let found = made.get(revealed);
  if (found === undefined) made.set(revealed, (found = classes.detectors.without(revealed)));
  return found;
}

/** Also the classes that only the schema names. */
function everything({ classes, schema }: GrpcEnvironment): ReadonlySet<string> {
  const key = schema ?? classes;
  let all = names.get(key);
  if (all === undefined) names.set(key, (all = new Set([...classes.names, ...(schema?.classes ?? [])])));
  return all;
}

const nothing: ReadonlySet<string> = new Set();
const detectors = new WeakMap<DataClasses, WeakMap<ReadonlySet<string>, DetectorSet>>();
const names = new WeakMap<object, ReadonlySet<string>>();

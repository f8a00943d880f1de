import type { DataClasses } from '../../masking/classes.ts';
import type { DetectorSet } from '../../masking/detect.ts';
import type { GrpcEnvironment, GrpcMasks } from './environment.ts';

/** What must not be seen by this principal. */
export function masksOf({ target, classes, revealed }: GrpcEnvironment): GrpcMasks {
  const detectors = target.masking === 'unsafe_origin' ? noDetectors(classes) : classes.detectors.without(revealed);
  return masks(target.name, classes, detectors, revealed, target.masking === 'strict');
}

/** For the record and the recording, which have other readers: everything. */
export function recordMasksOf({ target, classes }: GrpcEnvironment): GrpcMasks {
  return masks(target.name, classes, classes.detectors, new Set(), false);
}

/** For a reviewer, who sees what will run. */
export function noMasksOf({ target, classes }: GrpcEnvironment): GrpcMasks {
  return masks(target.name, classes, noDetectors(classes), new Set(classes.names), false);
}

function masks(target: string, classes: DataClasses, detectors: DetectorSet, revealed: ReadonlySet<string>, isStrict: boolean): GrpcMasks {
  const holdsPlaces = classes.documentClasses(target).some((name) => !revealed.has(name));
  return { target, classes, detectors, revealed, isStrict, holdsPlaces, hides: holdsPlaces || !detectors.isEmpty };
}

function noDetectors(classes: DataClasses): DetectorSet {
  return classes.detectors.without(new Set(classes.names));
}

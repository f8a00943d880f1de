import type { DataClasses } from '../../masking/classes.ts';
import type { DetectorSet } from '../../masking/detect.ts';
import type { JsonPath } from '../../masking/json-path.ts';
import type { MaskRule } from '../../masking/mask.ts';
import type { HttpEnvironment } from './environment.ts';

/** What must not be seen in what stands at one path of a target. */
export interface HttpMasks {
  readonly classes: DataClasses;
  readonly detectors: DetectorSet;
  /** Places in JSON at this path. */
  readonly rules: readonly { readonly path: JsonPath; readonly rule: MaskRule }[];
  /** Places in JSON at some path of this target are hidden: what cannot be looked into may hold their values. */
  readonly holdsDocuments: boolean;
  /** Only JSON, lines of it and events are shown at all. */
  readonly isStrict: boolean;
  /** Anything is hidden. */
  readonly hides: boolean;
}

/** For this principal. */
export function masksOf({ target, classes, revealed }: HttpEnvironment, segments: readonly string[]): HttpMasks {
  const unseen = target.masking === 'unsafe_origin' ? everything(classes) : revealed;
  return masks(classes, target.name, segments, revealed, detectorsWithout(classes, unseen), target.masking === 'strict');
}

/** The last one for each set of classes: policy gives the same set for the same question. */
export function detectorsWithout(classes: DataClasses, revealed: ReadonlySet<string>): DetectorSet {
  let made = detectors.get(classes);
  if (made === undefined) detectors.set(classes, (made = new WeakMap()));
  let found = made.get(revealed);
  if (found === undefined) made.set(revealed, (found = classes.detectors.without(revealed)));
  return found;
}

/** The names of all classes, always the same set. */
export function everything(classes: DataClasses): ReadonlySet<string> {
  let all = names.get(classes);
  if (all === undefined) names.set(classes, (all = new Set(classes.names)));
  return all;
}

/** For the record and the recording, which have other readers: everything. */
export function recordMasksOf({ target, classes }: HttpEnvironment, segments: readonly string[]): HttpMasks {
  return masks(classes, target.name, segments, new Set(), classes.detectors, false);
}

function masks(
  classes: DataClasses,
  target: string,
  segments: readonly string[],
  revealed: ReadonlySet<string>,
  detectors: DetectorSet,
  isStrict: boolean,
): HttpMasks {
  const rules = classes
    .documentRules(target, segments)
    .filter((rule) => !revealed.has(rule.class))
    .flatMap(({ class: name, path }) => {
      const rule = classes.strongest([name]);
      return rule === undefined ? [] : [{ path, rule }];
    });
  const holdsDocuments = classes.documentClasses(target).some((name) => !revealed.has(name));
  return { classes, detectors, rules, holdsDocuments, isStrict, hides: holdsDocuments || !detectors.isEmpty };
}

const detectors = new WeakMap<DataClasses, WeakMap<ReadonlySet<string>, DetectorSet>>();
const names = new WeakMap<DataClasses, ReadonlySet<string>>();

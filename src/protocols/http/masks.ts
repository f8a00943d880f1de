import { RecentMap } from '../../core/recent-map.ts';
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
  /** Classes of `rules`, each once. */
  readonly ruleClasses: readonly string[];
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
  return masks(classes, target.name, segments, noClasses, classes.detectors, false);
}

/** The same object for the same question, as long as it is asked now and then. */
function masks(
  classes: DataClasses,
  target: string,
  segments: readonly string[],
  revealed: ReadonlySet<string>,
  detectors: DetectorSet,
  isStrict: boolean,
): HttpMasks {
  let byDetectors = remembered.get(revealed);
  if (byDetectors === undefined) remembered.set(revealed, (byDetectors = new WeakMap()));
  let known = byDetectors.get(detectors);
  if (known === undefined) byDetectors.set(detectors, (known = new RecentMap(mostRemembered)));
  // Segments of a decoded path have no slash in them.
  const key = `${target} ${isStrict} ${segments.join('/')}`;
  let found = known.get(key);
  if (found?.classes !== classes) known.set(key, (found = masksAt(classes, target, segments, revealed, detectors, isStrict)));
  return found;
}

function masksAt(
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
  const ruleClasses = [...new Set(rules.map(({ rule }) => rule.class))];
  return { classes, detectors, rules, holdsDocuments, isStrict, hides: holdsDocuments || !detectors.isEmpty, ruleClasses };
}

const noClasses: ReadonlySet<string> = new Set();
const detectors = new WeakMap<DataClasses, WeakMap<ReadonlySet<string>, DetectorSet>>();
const names = new WeakMap<DataClasses, ReadonlySet<string>>();
const remembered = new WeakMap<ReadonlySet<string>, WeakMap<DetectorSet, RecentMap<string, HttpMasks>>>();
/** Paths, for each set of classes. */
const mostRemembered = 500;

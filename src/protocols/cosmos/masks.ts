import type { DataClasses } from '../../masking/classes.ts';
import type { DetectorSet } from '../../masking/detect.ts';
import type { JsonPath } from '../../masking/json-path.ts';
import type { MaskRule } from '../../masking/mask.ts';
import { detectorsWithout, everything } from '../http/masks.ts';
import type { CosmosEnvironment } from './environment.ts';
import type { Resource } from './resource.ts';

/** What must not be seen of the items of one container. */
export interface ContainerMasks {
  readonly classes: DataClasses;
  readonly detectors: DetectorSet;
  /** Places in an item, strongest class first. */
  readonly rules: readonly ItemRule[];
  /** A hidden place may stand by itself in a result and nowhere else. */
  readonly isStrict: boolean;
  /** What is computed from hidden places is masked as well. */
  readonly masksComputed: boolean;
  /** Anything is hidden. */
  readonly hides: boolean;
}

export interface ItemRule {
  readonly path: JsonPath;
  readonly rule: MaskRule;
}

/** For this principal. What belongs to no container has no places, and detectors look at it. */
export function masksOf({ target, classes, revealed }: CosmosEnvironment, resource: Resource): ContainerMasks {
  const isOrigin = target.masking === 'unsafe_origin';
  const detectors = detectorsWithout(classes, isOrigin ? everything(classes) : revealed);
  return masks(classes, detectors, rulesOf(classes, target.name, resource, revealed), target.masking === 'strict', !isOrigin);
}

/** For the record and the recording, which have other readers: everything. */
export function recordMasksOf({ target, classes }: CosmosEnvironment, resource: Resource): ContainerMasks {
  return masks(classes, classes.detectors, rulesOf(classes, target.name, resource, new Set()), false, true);
}

function masks(
  classes: DataClasses,
  detectors: DetectorSet,
  rules: readonly ItemRule[],
  isStrict: boolean,
  masksComputed: boolean,
): ContainerMasks {
  return { classes, detectors, rules, isStrict, masksComputed, hides: rules.length > 0 || !detectors.isEmpty };
}

/** `target/database/container#$.path` of the configuration. */
function rulesOf(
  classes: DataClasses,
  target: string,
  { database, container }: Resource,
  revealed: ReadonlySet<string>,
): readonly ItemRule[] {
  if (database === undefined || container === undefined) return [];
  return classes
    .documentRules(target, [database, container])
    .filter((rule) => !revealed.has(rule.class))
    .flatMap(({ class: name, path }) => {
      const rule = classes.strongest([name]);
      return rule === undefined ? [] : [{ path, rule }];
    });
}

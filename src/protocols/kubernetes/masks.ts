import type { DataClasses } from '../../masking/classes.ts';
import type { DetectorSet } from '../../masking/detect.ts';
import { foldSegment } from '../../masking/document-path.ts';
import type { MaskRule } from '../../masking/mask.ts';
import { masksOf as textMasks, recordMasksOf as recordTextMasks, type HttpMasks } from '../http/masks.ts';
import type { KubernetesEnvironment } from './environment.ts';

/** What must not be seen of the objects of one target. */
export interface KubernetesMasks {
  readonly classes: DataClasses;
  readonly detectors: DetectorSet;
  /** Places in some object are hidden. */
  readonly hidesPlaces: boolean;
  /** Only JSON is shown at all. */
  readonly isStrict: boolean;
  /** Anything is hidden. */
  readonly hides: boolean;
  /** For the record and the recording: besides what the rules hide also what is a secret by itself. */
  readonly isRecord: boolean;
  /** The same for texts that are no objects: logs, errors, what a proxy answers with. */
  readonly text: HttpMasks;
  /** The rules that reach into this object; what is not known of it could be anything. */
  rulesOf(object: ObjectPlace): readonly PlaceRule[];
}

export interface ObjectPlace {
  /** Undefined: of some object, nobody knows which. */
  readonly group: string | undefined;
  readonly resource: string;
  /** Empty: in none. Undefined: not known. */
  readonly namespace: string | undefined;
  /** Undefined: not known. */
  readonly name: string | undefined;
}

export interface PlaceRule {
  readonly steps: readonly (string | number | undefined)[];
  /** Undefined: a secret that no data class names, which never goes on record. */
  readonly rule: MaskRule | undefined;
}

/** For this principal. */
export function masksOf(environment: KubernetesEnvironment): KubernetesMasks {
  return masks(environment, environment.revealed, false);
}

/** For the record and the recording, which have other readers. */
export function recordMasksOf(environment: KubernetesEnvironment): KubernetesMasks {
  return masks(environment, new Set(), true);
}

export function isSecret({ group, resource }: Pick<ObjectPlace, 'group' | 'resource'>): boolean {
  return resource === 'secrets' && (group ?? '') === '';
}

export function isConfigMap({ group, resource }: Pick<ObjectPlace, 'group' | 'resource'>): boolean {
  return resource === 'configmaps' && (group ?? '') === '';
}

function masks({ target, classes, revealed }: KubernetesEnvironment, seen: ReadonlySet<string>, isRecord: boolean): KubernetesMasks {
  // Any path of HTTP that names places: a text holds no objects, and its places are told by `rulesOf` alone.
  const http = { ...target, cookies: false, unmaskedMediaTypes: [] };
  const ofTexts = isRecord ? recordTextMasks({ target: http, classes, revealed }, []) : textMasks({ target: http, classes, revealed }, []);
  const text = { ...ofTexts, rules: [], holdsDocuments: false, hides: !ofTexts.detectors.isEmpty };
  const places = classes.documentPlaces(target.name).filter((place) => !seen.has(place.class));
  return {
    classes,
    detectors: text.detectors,
    hidesPlaces: places.length > 0,
    isStrict: text.isStrict,
    hides: places.length > 0 || text.hides,
    isRecord,
    text,
    rulesOf(object) {
      const rules = places
        .filter(({ segments }) => names(segments, object))
        .flatMap(({ class: name, path: { steps } }): PlaceRule[] => {
          const rule = classes.strongest([name]);
          return rule === undefined ? [] : spellings(object, steps).map((spelling) => ({ steps: spelling, rule }));
        });
      if (!isRecord || !isSecret(object)) return rules;
      return [...rules, ...['data', 'stringData'].map((member) => ({ steps: [member], rule: undefined }))];
    },
  };
}

/** `segments`: resource, namespace, name; folded, `*` is any. */
function names([resource, namespace, name]: readonly string[], object: ObjectPlace): boolean {
  const own = foldSegment(object.resource);
  if (resource !== '*' && resource !== own && resource !== `${own}.${object.group ?? ''}`) return false;
  if (namespace !== undefined && namespace !== '*' && object.namespace !== undefined && namespace !== foldSegment(object.namespace))
    return false;
  return name === undefined || name === '*' || object.name === undefined || name === foldSegment(object.name);
}

/**
 * A value of a Secret can be written as `stringData` too, and one of a ConfigMap stand in `binaryData`. Both are hidden as a whole: what stands inside of
 * one value is text, whatever it looks like.
 */
function spellings(object: ObjectPlace, steps: PlaceRule['steps']): readonly PlaceRule['steps'][] {
  const [first, ...more] = steps;
  const twins = isSecret(object) ? ['data', 'stringData'] : isConfigMap(object) ? ['data', 'binaryData'] : [];
  if (typeof first !== 'string' || !twins.includes(first)) return [steps];
  return twins.map((twin) => [twin, ...more.slice(0, 1)]);
}

import { assertNever } from '../core/fault.ts';
import type { Act, FactValue, ObjectRef } from '../core/operation.ts';
import type { PolicyQuestion } from '../core/ports.ts';
import { principalKey, type Principal } from '../core/principal.ts';
import type { Target } from '../core/target.ts';
import { unavailable, type CedarRequest, type ContextValue, type Entity, type EntityUid } from './cedar.ts';
import type { ActionRules, RuleSet } from './rules.ts';
import { factTypes, type FactType } from './schema.ts';

/** A question without the acts: what all its acts share. */
export type Setting = Pick<PolicyQuestion, 'principal' | 'target' | 'facts'>;

/**
 * What Cedar is asked about one act, holding only what these policies can read. `facts` must have passed `checkFacts`.
 * `now`: milliseconds since 1970.
 */
export function buildRequest(act: Act, rules: ActionRules, set: RuleSet, setting: Setting, now: number): CedarRequest {
  const { principal, target } = setting;
  const { reads } = set;
  const context: Record<string, ContextValue> = {};
  const wanted = (name: string): boolean => reads.wholeContext || reads.attributes.has(name);
  for (const [name, value] of Object.entries(setting.facts)) if (wanted(name)) context[name] = value;
  if (wanted('target')) context['target'] = { __entity: { type: 'Target', id: target.name } };
  if (wanted('protocol')) context['protocol'] = target.protocol;
  if (wanted('groups_known')) context['groups_known'] = principal.groupsKnown;
  if (wanted('hour')) context['hour'] = new Date(now).getUTCHours();
  if (wanted('weekday')) context['weekday'] = weekdays[new Date(now).getUTCDay()] ?? '';

  const object = entityOf(act.object, target);
  const entities: Entity[] = [principalEntity(principal, set), object];
  if (rules.groups.length > 0) {
    const parents = rules.groups.map((id) => ({ type: 'Action', id }));
    entities.push({ uid: { type: 'Action', id: act.action }, attrs: {}, parents });
  }
  if (wanted('target') && object.uid.type !== 'Target') entities.push(targetEntity(target));
  return {
    principal: principalUid(principal),
    action: { type: 'Action', id: act.action },
    resource: object.uid,
    context,
    entities,
  };
}

/** Throws `policy-unavailable` for a fact that the schema does not declare, or of another type: a rule about it would be passed by. */
export function checkFacts(facts: Setting['facts']): void {
  for (const [name, value] of Object.entries(facts)) {
    const type = Object.hasOwn(factTypes, name) ? factTypes[name] : undefined;
    if (type === undefined) throw unavailable(`fact ${name} is not in the policy schema`);
    if (!hasType(value, type)) throw unavailable(`fact ${name} is not a ${type}`);
  }
}

function hasType(value: FactValue, type: FactType): boolean {
  switch (type) {
    case 'String':
      return typeof value === 'string';
    case 'Bool':
      return typeof value === 'boolean';
    case 'Long':
      return Number.isSafeInteger(value);
    case 'Set<String>':
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
    default:
      return assertNever(type, 'fact type');
  }
}

function principalEntity(principal: Principal, set: RuleSet): Entity {
  const { attributes, tags } = set.reads;
  const parents = [...principal.groups.map((id) => ({ type: 'Group', id })), { type: 'Issuer', id: principal.issuer }];
  const described = attributes.has('issuer') || attributes.has('subject');
  return {
    uid: principalUid(principal),
    attrs: described ? { issuer: principal.issuer, subject: principal.subject } : {},
    parents,
    ...(tags ? { tags: Object.fromEntries(Object.entries(principal.claims).map(([name, value]) => [name, String(value)])) } : {}),
  };
}

function principalUid(principal: Principal): EntityUid {
  return { type: principal.kind === 'agent' ? 'Agent' : 'User', id: principalKey(principal) };
}

function targetEntity(target: Target): Entity {
  return { uid: { type: 'Target', id: target.name }, attrs: {}, parents: labelsOf(target) };
}

/** The object with all its ancestors as direct parents, the target and its labels among them. A data class has none. */
function entityOf(object: ObjectRef, target: Target): Entity {
  const uid = { type: object.type, id: object.id };
  if (object.type === 'DataClass') return { uid, attrs: {}, parents: [] };
  if (object.type === 'Target') {
    if (object.id !== target.name) throw unavailable(`an act on target ${object.id} in a session on ${target.name}`);
    return targetEntity(target);
  }
  const parents = new Map<string, EntityUid>();
  const add = (parent: EntityUid): unknown => parents.set(`${parent.type} ${parent.id}`, parent);
  const climb = (refs: readonly ObjectRef[]): void => {
    for (const ref of refs) {
      add({ type: ref.type, id: ref.id });
      climb(ref.parents ?? []);
    }
  };
  climb(object.parents ?? []);
  add({ type: 'Target', id: target.name });
  for (const label of labelsOf(target)) add(label);
  return { uid, attrs: {}, parents: [...parents.values()] };
}

function labelsOf(target: Target): readonly EntityUid[] {
  return Object.entries(target.labels).map(([key, value]) => ({ type: 'Label', id: `${key}=${value}` }));
}

const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

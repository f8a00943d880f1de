import type { ActionName, Facts, FactValue, ObjectRef, ObjectType } from '../core/operation.ts';
import type { ClaimValue, Principal } from '../core/principal.ts';
import type { Protocol, Target } from '../core/target.ts';
import { actionsByName, factTypes, objectTypes } from './schema.ts';

/** One case of a cases file, as docs/reference/policy.md describes it. */
export interface Case {
  readonly name: string;
  readonly principal: Principal;
  /** A target's name in the configuration, or a target of the case's own. */
  readonly target: string | Target;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly acts: readonly CaseAct[];
  readonly statement: string | undefined;
  readonly facts: Facts;
  readonly expected: {
    readonly decision: 'allow' | 'deny' | 'hold';
    readonly policies: readonly string[] | undefined;
    readonly reviewers: readonly string[] | undefined;
  };
}

export interface CaseAct {
  readonly action: ActionName;
  readonly type: ObjectType;
  readonly id: string;
  /** Undefined: they follow from the object's path. */
  readonly parents: readonly ObjectRef[] | undefined;
}

/** The cases file cannot be used. The message names the place and what was expected there. */
export class CaseFileError extends Error {
  override readonly name = 'CaseFileError';
}

/** Reads the parsed content of a cases file. Throws `CaseFileError` naming the place of the first thing that is not as it should be. */
export function readCases(content: unknown): readonly Case[] {
  const file = record(content, 'the file', ['cases']);
  return list(file['cases'], 'cases').map((value, index) => readCase(value, `cases[${index}]`));
}

function readCase(value: unknown, at: string): Case {
  const given = record(value, at, ['name', 'principal', 'target', 'at', 'acts', 'statement', 'facts', 'expect', 'policies', 'reviewers']);
  const acts = given['acts'] === undefined ? undefined : list(given['acts'], `${at}.acts`);
  const statement = given['statement'] === undefined ? undefined : text(given['statement'], `${at}.statement`);
  if ((acts === undefined || acts.length === 0) === (statement === undefined)) throw bad(at, 'either acts or a statement');
  return {
    name: text(given['name'], `${at}.name`),
    principal: readPrincipal(given['principal'], `${at}.principal`),
    target: typeof given['target'] === 'string' ? given['target'] : readTarget(given['target'], `${at}.target`),
    now: given['at'] === undefined ? defaultNow : time(given['at'], `${at}.at`),
    acts: (acts ?? []).map((act, index) => readAct(act, `${at}.acts[${index}]`)),
    statement,
    facts: given['facts'] === undefined ? {} : readFacts(given['facts'], `${at}.facts`),
    expected: {
      decision: oneOf(given['expect'], ['allow', 'deny', 'hold'] as const, `${at}.expect`),
      policies: given['policies'] === undefined ? undefined : texts(given['policies'], `${at}.policies`),
      reviewers: given['reviewers'] === undefined ? undefined : texts(given['reviewers'], `${at}.reviewers`),
    },
  };
}

function readPrincipal(value: unknown, at: string): Principal {
  const given = record(value, at, ['issuer', 'subject', 'kind', 'groups', 'groups_known', 'claims']);
  const issuer = given['issuer'] === undefined ? 'test' : text(given['issuer'], `${at}.issuer`);
  const subject = given['subject'] === undefined ? 'test' : text(given['subject'], `${at}.subject`);
  const claims = given['claims'] === undefined ? {} : record(given['claims'], `${at}.claims`, undefined);
  return {
    issuer,
    issuerUrl: '',
    subject,
    kind: given['kind'] === undefined ? 'agent' : oneOf(given['kind'], ['agent', 'user'] as const, `${at}.kind`),
    groups: given['groups'] === undefined ? [] : texts(given['groups'], `${at}.groups`),
    groupsKnown: given['groups_known'] === undefined ? true : flag(given['groups_known'], `${at}.groups_known`),
    claims: Object.fromEntries(Object.entries(claims).map(([name, claim]) => [name, claimValue(claim, `${at}.claims.${name}`)])),
    display: subject,
    tokenId: undefined,
    expiresAtMs: Number.MAX_SAFE_INTEGER,
    authenticatedBy: 'oidc-token',
  };
}

function readTarget(value: unknown, at: string): Target {
  const given = record(value, at, ['name', 'protocol', 'labels']);
  const labels = given['labels'] === undefined ? {} : record(given['labels'], `${at}.labels`, undefined);
  return {
    name: text(given['name'], `${at}.name`),
    protocol: given['protocol'] === undefined ? 'postgres' : oneOf(given['protocol'], protocols, `${at}.protocol`),
    labels: Object.fromEntries(Object.entries(labels).map(([name, label]) => [name, text(label, `${at}.labels.${name}`)])),
    masking: 'taint',
    hold: 'wait',
  };
}

function readAct(value: unknown, at: string): CaseAct {
  const given = record(value, at, ['action', 'object', 'in']);
  const action = text(given['action'], `${at}.action`);
  if (!actionsByName.has(action)) throw bad(`${at}.action`, 'the name of an action of the policy schema');
  const parents = given['in'] === undefined ? undefined : list(given['in'], `${at}.in`);
  return {
    action: action as ActionName,
    ...readObject(given['object'], `${at}.object`),
    parents: parents?.map((parent, index) => readObject(parent, `${at}.in[${index}]`)),
  };
}

/** `Relation::"orders/public.customers"`, as policies write it. */
function readObject(value: unknown, at: string): { readonly type: ObjectType; readonly id: string } {
  const match = /^([A-Za-z]+)::(".*")$/s.exec(text(value, at));
  const type = objectTypes.find((name) => name === match?.[1]);
  const id = match === null ? undefined : unquote(match[2] ?? '');
  if (type === undefined || id === undefined) throw bad(at, 'an object such as Relation::"orders/public.customers"');
  return { type, id };
}

function unquote(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return undefined;
  }
}

function readFacts(value: unknown, at: string): Facts {
  const given = record(value, at, Object.keys(factTypes));
  return Object.fromEntries(Object.entries(given).map(([name, fact]) => [name, factValue(fact, `${at}.${name}`)]));
}

function factValue(value: unknown, at: string): FactValue {
  return Array.isArray(value) ? texts(value, at) : claimValue(value, at);
}

function claimValue(value: unknown, at: string): ClaimValue {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value;
  throw bad(at, 'text, a number or true/false');
}

/** `keys` undefined: any key. */
function record(value: unknown, at: string, keys: readonly string[] | undefined): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(at, 'a mapping');
  const unknown = keys === undefined ? undefined : Object.keys(value).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw bad(`${at}.${unknown}`, `one of: ${keys?.join(', ')}`);
  return value as Readonly<Record<string, unknown>>;
}

function list(value: unknown, at: string): readonly unknown[] {
  if (!Array.isArray(value)) throw bad(at, 'a list');
  return value;
}

function texts(value: unknown, at: string): readonly string[] {
  return list(value, at).map((item, index) => text(item, `${at}[${index}]`));
}

function text(value: unknown, at: string): string {
  if (typeof value !== 'string' || value === '') throw bad(at, 'text');
  return value;
}

function flag(value: unknown, at: string): boolean {
  if (typeof value !== 'boolean') throw bad(at, 'true or false');
  return value;
}

function time(value: unknown, at: string): number {
  const ms = value instanceof Date ? value.getTime() : Date.parse(text(value, at));
  if (Number.isNaN(ms)) throw bad(at, 'a time such as 2027-03-01T22:15:00Z');
  return ms;
}

function oneOf<Name extends string>(value: unknown, names: readonly Name[], at: string): Name {
  const found = names.find((name) => name === value);
  if (found === undefined) throw bad(at, `one of: ${names.join(', ')}`);
  return found;
}

function bad(at: string, expected: string): CaseFileError {
  return new CaseFileError(`${at}: expected ${expected}`);
}

const protocols: readonly Protocol[] = ['postgres', 'tds', 'ssh', 'http', 'grpc', 'kubernetes', 'cosmos'];

/** A Wednesday at noon, UTC: cases that name no time must not change their answer by the day on which they run. */
const defaultNow = Date.UTC(2025, 0, 1, 12);

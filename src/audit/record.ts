import { createHash } from 'node:crypto';
import { GatewayFault } from '../core/fault.ts';
import type { AuditRecord } from '../core/record.ts';

/** What the log adds to each record. `time` is UTC, RFC 3339 with milliseconds. */
export interface Stamp {
  readonly v: 1;
  readonly time: string;
  readonly gateway: string;
  readonly policy_version: string;
}

/** Content that was moved out of a leaf; it is stored under its digest before the leaf is written. */
export interface Body {
  /** Hex. */
  readonly sha256: string;
  readonly content: Uint8Array;
}

export interface ShortenedLeaf {
  readonly leaf: string;
  readonly bodies: readonly Body[];
}

/** C2SP tlog-tiles gives an entry a 16-bit length; one less is our format's bound. */
export const MAX_LEAF_BYTES = 65_534;

/**
 * The record as canonical JSON (RFC 8785). Members that are `undefined` are left out; half a surrogate pair becomes U+FFFD.
 * Throws `internal` for a value that JSON cannot hold (NaN, a function): nothing may be recorded as something else.
 */
export function encodeRecord(record: AuditRecord, stamp: Stamp): string {
  const values = record as Values;
  const members = membersOf(record.type, values);
  let json = '{';
  for (let i = 0; i < members.length; i++) {
    const member = members[i]!;
    const value = member.stamped ? stamp[member.name as keyof Stamp] : values[member.name];
    if (value === undefined) continue;
    json += (json.length === 1 ? '' : ',') + member.label;
    json += typeof value === 'string' ? quote(value) : encodeValue(value);
  }
  return `${json}}`;
}

/** True where the leaf does not fit; cheap for short ones. */
export function isTooLong(leaf: string): boolean {
  return leaf.length * 3 > MAX_LEAF_BYTES && Buffer.byteLength(leaf) > MAX_LEAF_BYTES;
}

/** The record with its largest members moved out, until the leaf fits. Throws `limit-exceeded` where even that does not help. */
export function shortenRecord(record: AuditRecord, stamp: Stamp): ShortenedLeaf {
  const values: Record<string, unknown> = { ...record };
  const movable = Object.keys(values)
    .filter((name) => !NEVER_MOVED.has(name) && values[name] !== undefined)
    .map((name) => ({ name, bytes: Buffer.byteLength(encodeValue(values[name])) }))
    .sort((a, b) => b.bytes - a.bytes);
  const kinds: Record<string, 'text' | 'json'> = {};
  const bodies: Body[] = [];
  for (const { name } of movable) {
    const value = values[name];
    const content = Buffer.from(typeof value === 'string' ? value.toWellFormed() : encodeValue(value));
    const sha256 = createHash('sha256').update(content).digest('hex');
    bodies.push({ sha256, content });
    kinds[name] = typeof value === 'string' ? 'text' : 'json';
    values[name] = { bytes: content.byteLength, sha256 };
    const leaf = encodeValue({ ...values, ...stamp, bodies: kinds });
    if (!isTooLong(leaf)) return { leaf, bodies };
  }
  throw new GatewayFault('limit-exceeded', {
    publicMessage: 'the operation is too large to be recorded',
    detail: `a ${record.type} record does not fit a leaf even with its content stored beside it`,
  });
}

/** Canonical JSON (RFC 8785) of any JSON value. */
export function encodeValue(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value === null) return 'null';
  if (typeof value !== 'object') throw notJson(typeof value === 'number' ? String(value) : typeof value);
  return Array.isArray(value) ? encodeArray(value) : encodeObject(value as Values);
}

type Values = Readonly<Record<string, unknown>>;

interface Member {
  readonly name: string;
  /** `"name":` */
  readonly label: string;
  readonly stamped: boolean;
}

interface Shape {
  readonly keys: readonly string[];
  readonly members: readonly Member[];
}

/**
 * The members in canonical order. A record's keys nearly always come in an order that was seen before, so the sorted order is kept by shape
 * and found again by comparing names: a fifth of the cost of sorting every time.
 */
function membersOf(type: string, values: Values): readonly Member[] {
  const keys = Object.keys(values);
  let shapes = SHAPES.get(type);
  if (shapes === undefined) SHAPES.set(type, (shapes = []));
  for (const shape of shapes) if (sameNames(shape.keys, keys)) return shape.members;
  const members = [
    ...keys.map((name) => ({ name, label: `${quote(name)}:`, stamped: false })),
    ...STAMPED.map((name) => ({ name, label: `${quote(name)}:`, stamped: true })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (shapes.length < MAX_SHAPES) shapes.push({ keys, members });
  return members;
}

function sameNames(known: readonly string[], names: readonly string[]): boolean {
  if (known.length !== names.length) return false;
  for (let i = 0; i < names.length; i++) if (known[i] !== names[i]) return false;
  return true;
}

function encodeArray(values: readonly unknown[]): string {
  if (values.length === 0) return '[]';
  let json = `[${encodeValue(values[0])}`;
  for (let i = 1; i < values.length; i++) json += `,${encodeValue(values[i])}`;
  return `${json}]`;
}

/** ECMAScript compares and sorts strings by UTF-16 code units, which is the order that RFC 8785 section 3.2.3 asks for. */
function encodeObject(values: Values): string {
  const keys = Object.keys(values);
  for (let i = 1; i < keys.length; i++) {
    if (keys[i - 1]! > keys[i]!) {
      keys.sort();
      break;
    }
  }
  let json = '{';
  for (const key of keys) {
    const value = values[key];
    if (value === undefined) continue;
    json += `${json.length === 1 ? '' : ','}${quote(key)}:${encodeValue(value)}`;
  }
  return `${json}}`;
}

/** ECMAScript's JSON string form is RFC 8785's, for well-formed text. */
export function quote(text: string): string {
  const json = JSON.stringify(text);
  // What is no longer than the text has nothing escaped in it, and so no half of a pair.
  return json.length === text.length + 2 || text.isWellFormed() ? json : JSON.stringify(text.toWellFormed());
}

function notJson(what: string): GatewayFault {
  return new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: `an audit record holds ${what}` });
}

const STAMPED: readonly (keyof Stamp)[] = ['gateway', 'policy_version', 'time', 'v'];
const NEVER_MOVED: ReadonlySet<string> = new Set([
  'type',
  'session',
  'operation',
  'approval',
  'target',
  'principal',
  'issuer',
  'subject',
  'decision',
  'code',
]);
/** Shapes kept for a type: one for each combination of optional members that occurs. */
const MAX_SHAPES = 16;
const SHAPES = new Map<string, Shape[]>();

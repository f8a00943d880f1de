import { parseCanonical } from './canonical.ts';

/** A record whose common members are as they must be; the others are checked where the type is known. */
export interface LogRecord {
  readonly type: string;
  readonly time: string;
  readonly [member: string]: unknown;
}

/** A member's value that is stored beside the log. */
export interface BodyReference {
  readonly member: string;
  readonly encoding: 'text' | 'json';
  readonly sha256: string;
  readonly bytes: number;
}

/** Reads one leaf. Throws an `Error` that says why it is no record of this format. */
export function parseRecord(leaf: Buffer): LogRecord {
  const value = parseCanonical(leaf);
  if (!isObject(value)) throw new Error('not a JSON object');
  if (value['v'] !== 1) throw new Error(`format version ${JSON.stringify(value['v'])} is not known`);
  for (const member of ['gateway', 'policy_version', 'time', 'type']) {
    if (typeof value[member] !== 'string') throw new Error(`member ${member} is missing`);
  }
  const record = value as LogRecord;
  if (!isTime(record.time)) throw new Error(`time ${JSON.stringify(record.time)} is not UTC with milliseconds`);
  return record;
}

/** What the record's type asks for and the record does not have; empty for types that are not known. Bodies count by their encoding. */
export function memberProblems(record: LogRecord): string[] {
  const members = memberTypes.get(record.type);
  if (members === undefined) return [];
  const bodies = isObject(record['bodies']) ? record['bodies'] : {};
  const problems: string[] = [];
  for (const { name, kind, optional } of members) {
    const value = record[name];
    if (value === undefined) {
      if (!optional) problems.push(`member ${name} is missing`);
    } else if (Object.hasOwn(bodies, name)) {
      if ((bodies[name] === 'text') !== (kind === 'string')) problems.push(`member ${name} has a body of the wrong encoding`);
    } else if (!kinds[kind](value)) problems.push(`member ${name} is not ${descriptions[kind]}`);
  }
  for (const [name, allowed] of choices.get(record.type) ?? []) {
    if (!allowed.includes(record[name] as string)) problems.push(`member ${name} cannot be ${JSON.stringify(record[name])}`);
  }
  return problems;
}

export function isKnownType(type: string): boolean {
  return memberTypes.has(type);
}

/** The members that were moved out. Throws an `Error` where `bodies` is not as the format has it. */
export function bodiesOf(record: LogRecord): BodyReference[] {
  const bodies = record['bodies'];
  if (bodies === undefined) return [];
  if (!isObject(bodies) || Object.keys(bodies).length === 0) throw new Error('member bodies is not an object of encodings');
  return Object.entries(bodies).map(([member, encoding]) => {
    if (encoding !== 'text' && encoding !== 'json') throw new Error(`the body of ${member} has an unknown encoding`);
    if (neverMoved.has(member)) throw new Error(`member ${member} is never moved out`);
    const reference = record[member];
    if (!isObject(reference) || Object.keys(reference).length !== 2) throw new Error(`member ${member} does not refer to a body`);
    const { bytes, sha256 } = reference;
    if (!isCount(bytes) || typeof sha256 !== 'string' || !SHA256.test(sha256)) throw new Error(`member ${member} does not refer to a body`);
    return { member, encoding, sha256, bytes };
  });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

export function isSealed(value: unknown): value is { file: string; sha256: string; bytes: number } {
  return isObject(value) && typeof value['file'] === 'string' && SHA256.test(String(value['sha256'])) && isCount(value['bytes']);
}

export function isReview(value: unknown): value is { policy: string; group: string; approvals: number } {
  return isObject(value) && typeof value['policy'] === 'string' && typeof value['group'] === 'string' && isCount(value['approvals']);
}

/** `YYYY-MM-DDTHH:MM:SS.mmmZ`, a time that exists. */
function isTime(text: string): boolean {
  if (text === lastTime) return true;
  const ms = Date.parse(text);
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== text) return false;
  lastTime = text;
  return true;
}

function isAct(value: unknown): boolean {
  return isObject(value) && typeof value['action'] === 'string' && typeof value['object'] === 'string';
}

function isTransfer(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value['path'] === 'string' &&
    ['download', 'upload'].includes(String(value['direction'])) &&
    isCount(value['bytes']) &&
    SHA256.test(String(value['sha256'])) &&
    typeof value['in_order'] === 'boolean'
  );
}

function isClaims(value: unknown): boolean {
  return isObject(value) && Object.values(value).every((claim) => ['string', 'number', 'boolean'].includes(typeof claim));
}

/** Neighbours often have the same time, and checking it costs as much as hashing. */
let lastTime = '';

const kinds = {
  string: (value: unknown) => typeof value === 'string',
  number: (value: unknown) => typeof value === 'number',
  count: isCount,
  boolean: (value: unknown) => typeof value === 'boolean',
  object: isObject,
  claims: isClaims,
  counts: (value: unknown) => isObject(value) && Object.values(value).every(isCount),
  strings: isStrings,
  parameters: (value: unknown) => Array.isArray(value) && value.every((item) => item === null || typeof item === 'string'),
  acts: (value: unknown) => Array.isArray(value) && value.every(isAct),
  reviews: (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isReview),
  sealed: isSealed,
  transfers: (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isTransfer),
};

type Kind = keyof typeof kinds;

const descriptions: Record<Kind, string> = {
  string: 'a string',
  number: 'a number',
  count: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  claims: 'an object of strings, numbers and booleans',
  counts: 'an object of whole numbers',
  strings: 'an array of strings',
  parameters: 'an array of strings and nulls',
  acts: 'an array of acts',
  reviews: 'an array of reviews',
  sealed: 'file, digest and length of a recording',
  transfers: 'an array of transfers',
};

const SHA256 = /^[0-9a-f]{64}$/;
const PRINCIPAL = 'issuer issuer_url subject kind display token_id token_expires groups:strings groups_known:boolean claims:claims';

/** `name` is a string, `name:kind` something else, `name?` may be missing. */
const memberTypes = new Map(
  Object.entries({
    'gateway.started': 'version durability config_digest unsafe:strings worker:count?',
    'gateway.stopped': 'reason',
    'worker.started': 'worker:count log verifier_key checkpoint',
    'worker.ended': 'worker:count reason',
    'log.witnessed': 'log checkpoint',
    'log.recovered': 'records:count dropped_bytes:count',
    'sign-in.refused': 'target peer claimed_user code detail',
    'session.opened': `session operation target protocol peer claimed_user acts:acts policies:strings ${PRINCIPAL}`,
    'session.closed': 'session reason operations:count duration_ms:number recording:sealed?',
    'session.note': 'session event detail:object',
    'operation.decided':
      'session operation target principal decision code? policies:strings acts:acts facts:object text text_exact:boolean digest? parameters:parameters? runs:strings? data_classes:strings approvals:strings? pure_read:boolean',
    'operation.completed':
      'session operation outcome error_code? reason? rows:count bytes:count duration_ms:number masked:counts transfers:transfers?',
    'approval.requested': 'approval log? session operation target principal reviews:reviews binding text runs:strings? expires',
    'approval.answered': `approval session operation answer reason group ${PRINCIPAL}`,
    'approval.ended': 'approval state',
    'credential.issued': `credential target expires key? ${PRINCIPAL}`,
    'credential.revoked': 'credential by reason',
    administration: `action detail:object ${PRINCIPAL}`,
    'evidence.read': `what query results:count ${PRINCIPAL}`,
    'policy.changed': 'policy_digest policies:count previous',
    'config.changed': 'config_digest previous',
    'key.rotated': 'key previous',
    'recording.recovered': 'session dropped_bytes:count recording:sealed',
  }).map(([type, members]) => [
    type,
    members.split(' ').map((member) => {
      const optional = member.endsWith('?');
      const [name = '', kind = 'string'] = (optional ? member.slice(0, -1) : member).split(':');
      return { name, kind: kind as Kind, optional };
    }),
  ]),
);

const choices = new Map<string, readonly (readonly [member: string, allowed: readonly string[]])[]>([
  ['gateway.started', [['durability', ['disk', 'process']]]],
  ['operation.decided', [['decision', ['allow', 'deny']]]],
  ['approval.answered', [['answer', ['approved', 'denied']]]],
  ['approval.ended', [['state', ['approved', 'denied', 'expired', 'cancelled', 'used']]]],
]);

const neverMoved = new Set(
  'v time gateway policy_version type session operation approval target principal issuer subject decision code'.split(' '),
);

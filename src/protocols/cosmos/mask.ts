import { GatewayFault } from '../../core/fault.ts';
import { maskDocument, type DocumentMasks, type Place, type PlaceRule } from '../../masking/json-document.ts';
import { codingOf } from '../http/codings.ts';
import type { AnswerHead, AnswerPlan, MaskedAnswer } from '../request.ts';
import { rewrittenAccount } from './account.ts';
import { runsCode } from './acts.ts';
import { shownFields, withNotice } from './answer-head.ts';
import { continuationForms, holdsOneOf } from './continuation.ts';
import { isObject, type Json } from './json-body.ts';
import { rowMasks } from './mask-query.ts';
import type { ContainerMasks } from './masks.ts';
import type { Understood } from './understand.ts';

/** Where the client reaches the account, without a slash at the end. */
export interface AnswerContext {
  readonly understood: Understood;
  readonly masks: ContainerMasks;
  readonly base: string;
}

/**
 * What the client gets of an answer. Every one is read as a whole: Cosmos DB answers with at most 4 MB at a time. Items are masked at their places, rows of
 * queries where their values come from, everything else by the detectors; what is no JSON is shown to nobody from whom anything is hidden.
 */
export function answerPlan(head: AnswerHead, context: AnswerContext): AnswerPlan {
  const { understood, masks } = context;
  const substatus = head.fields.find(({ name }) => name === 'x-ms-substatus')?.value ?? '';
  if (head.status === 401 || (head.status === 403 && GATEWAY_NOT_ALLOWED.has(substatus))) {
    return refuse('upstream-refused', 'the account does not accept the gateway’s own credential');
  }
  const fields = shownFields(head, masks, runsCode(understood));
  const continuation = continuationForms(fields, masks);
  if (continuation === undefined) return { kind: 'refuse', fault: hiddenInToken() };
  const coding = codingOf(head.fields);
  if (coding === 'unknown') return refuse('masking-refused', 'the content coding of the answer is not one that the gateway can decode');
  if (understood.method === 'HEAD' || head.status === 204 || head.status === 304) return { kind: 'pass', fields };
  return {
    kind: 'whole',
    coding,
    maxBytes: maxAnswerBytes,
    tooLong: () => fault('masking-refused', `the answer is longer than ${maxAnswerBytes} bytes; ask for fewer items (x-ms-max-item-count)`),
    mask: (body): MaskedAnswer | GatewayFault => {
      const hidden = new Set<string>();
      const shown = maskedBody(body, head.status, context, continuation === '' ? undefined : (value) => void hidden.add(value));
      if (holdsOneOf(continuation, hidden)) return hiddenInToken();
      if (shown === undefined) return fault('masking-refused', 'the account has answered with something that cannot be looked into');
      return { fields: withNotice(fields, shown.masked), body: shown.body, masked: shown.masked, rows: shown.rows };
    },
  };
}

/** Undefined where nothing of it may be shown. `tell`: told what is hidden in it. */
export function maskedBody(
  body: Uint8Array,
  status: number,
  { understood, masks, base }: AnswerContext,
  tell?: DocumentMasks['tell'],
): { readonly body: Uint8Array; readonly masked: ReadonlyMap<string, number>; readonly rows: number } | undefined {
  if (body.length === 0) return { body, masked: new Map(), rows: 0 };
  const text = textOf(body);
  const json = text === undefined ? undefined : parsed(text);
  if (text === undefined || json === undefined) return undefined;
  if (status >= 400) {
    // Code can put anything into its error.
    if (runsCode(understood) && masks.rules.length > 0) return { ...encoded(withheldError(json)), masked: new Map(), rows: 0 };
    const { rules } = itemsAt(masks, [[]]);
    return planInError(json, understood) === undefined ? masked(text, masks, rules, [], 0) : maskedAround(json, masks, rules);
  }
  if (understood.resource.type === '') return { ...encoded(rewrittenAccount(json, base)), masked: new Map(), rows: 0 };
  if (!isExpected(json, understood)) return undefined;
  // How partitions are cut, and the client's own query: a changed value would mislead the SDK and hide nothing.
  if (understood.kind === 'query-plan' || understood.resource.type === 'pkranges') return { body, masked: new Map(), rows: 0 };
  const places = placesIn(understood, masks);
  return places === undefined ? undefined : masked(text, masks, places.rules, places.items, rowsOf(json, understood), tell);
}

/** The form that is documented: in another one, places would not be where they are looked for. */
function isExpected(json: Json, { kind, resource: { type } }: Understood): boolean {
  if (kind === 'query-plan') return hasOnly(json, 'queryRanges', PLAN_KEYS);
  if (type === 'pkranges') return hasOnly(json, 'PartitionKeyRanges', RANGES_KEYS);
  if (type !== 'docs') return true;
  if (kind === 'query' || kind === 'read-feed' || kind === 'change-feed') return hasOnly(json, 'Documents', FEED_KEYS);
  return Array.isArray(json) === (kind === 'batch');
}

function hasOnly(json: Json, list: string, keys: ReadonlySet<string>): boolean {
  return isObject(json) && Array.isArray(json[list]) && Object.keys(json).every((key) => keys.has(key));
}

/** What is hidden in the answer of a request that succeeded, and where whole items stand. Undefined where that cannot be told. */
function placesIn(
  understood: Understood,
  masks: ContainerMasks,
): { readonly rules: readonly PlaceRule[]; readonly items: readonly Place[] } | undefined {
  const { kind, resource, body } = understood;
  if (resource.type === 'permissions') return { rules: TOKENS, items: [] };
  if (resource.type !== 'docs') return { rules: [], items: [[], [undefined, undefined]] };
  switch (kind) {
    case 'query': {
      const rows = body.kind === 'query' ? rowMasks(body.lineage, masks) : undefined;
      if (rows === undefined || rows instanceof GatewayFault) return undefined;
      return {
        rules: rows.rules.map((one) => ({ ...one, place: [...ROW, ...one.place] })),
        items: rows.items.map((place) => [...ROW, ...place]),
      };
    }
    case 'read-feed':
      return itemsAt(masks, [ROW]);
    case 'change-feed':
      return itemsAt(
        masks,
        CHANGE_PARTS.map((part) => [...ROW, ...part]),
      );
    case 'batch':
      return itemsAt(masks, [[undefined, 'resourceBody']]);
    case 'read':
    case 'create':
    case 'upsert':
    case 'replace':
    case 'patch':
      return itemsAt(masks, [[]]);
    case 'read-metadata':
    case 'query-plan':
    case 'delete':
    case 'execute':
    case 'delete-partition':
      return { rules: [], items: [] };
    default:
      return kind satisfies never;
  }
}

function itemsAt(
  masks: ContainerMasks,
  items: readonly Place[],
): { readonly rules: readonly PlaceRule[]; readonly items: readonly Place[] } {
  return { rules: items.flatMap((place) => masks.rules.map(({ path, rule }) => ({ place: [...place, ...path.steps], rule }))), items };
}

function masked(
  text: string,
  { classes, detectors }: ContainerMasks,
  rules: readonly PlaceRule[],
  systemOf: readonly Place[],
  rows: number,
  tell?: DocumentMasks['tell'],
): ReturnType<typeof maskedBody> {
  const shown = maskDocument({ classes, detectors, rules, systemOf, systemKeys: SYSTEM_KEYS, tell }, text);
  return shown === undefined ? undefined : { body: encoder.encode(shown.text), masked: shown.masked, rows };
}

/** Items shown. */
function rowsOf(json: Json, { resource, kind }: Understood): number {
  if (resource.type !== 'docs') return 0;
  if (kind === 'batch')
    return Array.isArray(json) ? (json as readonly Json[]).filter((one) => isObject(one) && isObject(one['resourceBody'])).length : 0;
  if (!isObject(json)) return 0;
  const documents = json['Documents'];
  if (Array.isArray(documents)) return documents.length;
  return kind === 'delete' ? 0 : 1;
}

/**
 * The plan of a query that partitions cannot answer one by one, in the error that says so, as older SDKs are told it. It is the client's own query, as in an answer
 * with a plan alone: a masked constant would make another question of it.
 */
function planInError(json: Json, { kind }: Understood): Json | undefined {
  const plan = kind === 'query' && isObject(json) && typeof json[PLAN] === 'string' ? parsed(json[PLAN]) : undefined;
  return plan !== undefined && hasOnly(plan, 'queryRanges', PLAN_KEYS) ? plan : undefined;
}

/** The error with the plan as it is. */
function maskedAround(json: Json, masks: ContainerMasks, rules: readonly PlaceRule[]): ReturnType<typeof maskedBody> {
  const { [PLAN]: plan, ...error } = json as { readonly [key: string]: Json };
  const shown = masked(JSON.stringify(error), masks, rules, [], 0);
  if (shown === undefined) return undefined;
  return { ...shown, ...encoded({ ...(JSON.parse(decoder.decode(shown.body)) as typeof error), [PLAN]: plan! }) };
}

function withheldError(json: Json): Json {
  const code = isObject(json) && typeof json['code'] === 'string' ? json['code'] : 'Error';
  return { code, message: 'The message is withheld: it comes from code, and something is hidden from you in this container.' };
}

function encoded(json: Json): { readonly body: Uint8Array } {
  return { body: encoder.encode(JSON.stringify(json)) };
}

function textOf(body: Uint8Array): string | undefined {
  try {
    return decoder.decode(body);
  } catch {
    return undefined;
  }
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function refuse(code: GatewayFault['code'], why: string): AnswerPlan {
  return { kind: 'refuse', fault: fault(code, why) };
}

function hiddenInToken(): GatewayFault {
  return fault('masking-refused', 'the continuation token of the answer holds something that is hidden from you');
}

function fault(code: GatewayFault['code'], why: string): GatewayFault {
  return new GatewayFault(code, {
    publicMessage: why,
    ...(code === 'masking-refused' ? { hint: 'If the request was to change something, it has done so.' } : {}),
  });
}

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();
/** Cosmos DB answers with at most 4 MB; what is around the items comes on top. */
const maxAnswerBytes = 4_500_000;
const PLAN_KEYS: ReadonlySet<string> = new Set([
  'partitionedQueryExecutionInfoVersion',
  'queryInfo',
  'queryRanges',
  'hybridSearchQueryInfo',
]);
/** Where an error has it. */
const PLAN = 'additionalErrorInfo';
const RANGES_KEYS: ReadonlySet<string> = new Set(['_rid', 'PartitionKeyRanges', '_count']);
const FEED_KEYS: ReadonlySet<string> = new Set(['_rid', 'Documents', '_count']);
const ROW: Place = ['Documents', undefined];
/** An item, or what stands around it where deletes and all versions are told (wire format 2021-09-15). */
const CHANGE_PARTS: readonly Place[] = [[], ['current'], ['previous'], ['metadata'], ['metadata', 'partitionKey']];
const SYSTEM_KEYS: ReadonlySet<string> = new Set(['_rid', '_self', '_etag', '_ts', '_attachments', '_lsn']);
/** A resource token leads to the account, around the gateway. */
const TOKENS: readonly PlaceRule[] = [['_token'], ['Permissions', undefined, '_token']].map((place) => ({
  place,
  rule: { class: 'resource-token', kind: 'redact' },
  isOpaque: true,
}));
/** The gateway's own identity may not do it (Microsoft Learn, "Role-based access control", troubleshooting). */
const GATEWAY_NOT_ALLOWED: ReadonlySet<string> = new Set(['5300', '5301', '5302']);

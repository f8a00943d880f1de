import { escapeLine } from '../../core/escape.ts';
import { maskDocument, type Place, type PlaceRule } from '../../masking/json-document.ts';
import { maskProse } from '../../masking/text.ts';
import { placesOf, withoutConstants } from '../../sql/cosmos/index.ts';
import { LEFT_OUT, withoutSecretMembers } from '../http/credentials.ts';
import type { HeaderField } from '../request.ts';
import type { ShownParts } from './acts.ts';
import type { Json } from './json-body.ts';
import type { ContainerMasks } from './masks.ts';
import type { PatchBody } from './patch-body.ts';
import { classesAt, reached } from './places.ts';
import type { QueryBody } from './query-body.ts';
import type { Understood } from './understand.ts';

/** A request as people and the record see it. */
export interface RecordedText {
  readonly text: string;
  /** Of a query, in order. */
  readonly parameters: readonly (string | null)[] | undefined;
}

/**
 * What of a request the record may show where its parts stand alone. `masks`: those of the record. A partition key may be the value of any place of the item, so
 * where places are sensitive it is withheld; so is the name of an item whose `id` is.
 */
export function recordedParts({ decodedPath, resource, headers, reason }: Understood, masks: ContainerMasks): ShownParts {
  const prose = (text: string): string => maskProse(masks.classes, masks.detectors, text);
  const idIsHidden = resource.type === 'docs' && resource.id !== undefined && hidesIds(masks);
  const path = idIsHidden ? `${decodedPath.slice(0, decodedPath.lastIndexOf('/') + 1)}${LEFT_OUT}` : prose(decodedPath);
  return {
    path,
    partitionKey: headers.partitionKey === undefined ? undefined : masks.rules.length > 0 ? LEFT_OUT : prose(headers.partitionKey),
    reason: reason === undefined || reason.trim() === '' ? undefined : escapeLine(prose(reason.trim().slice(0, mostReasonCharacters))),
  };
}

/** The parts as they are. */
export function exactParts({ decodedPath, headers, reason }: Understood): ShownParts {
  return { path: decodedPath, partitionKey: headers.partitionKey, reason: reason?.trim() === '' ? undefined : reason?.trim() };
}

export function recordedText(understood: Understood, parts: ShownParts, masks: ContainerMasks): RecordedText {
  const { body } = understood;
  const prose = (text: string): string => maskProse(masks.classes, masks.detectors, text);
  const head = headOf(understood, parts, prose);
  switch (body.kind) {
    case 'query':
    case 'metadata-query':
      return recordedQuery(head, body.body, masks, body.kind === 'query' && mentionsHidden(understood, masks));
    case 'none':
      return { text: head, parameters: undefined };
    case 'item':
      return withBody(head, body.item, masks, itemRules(masks, []));
    case 'patch':
      return withBody(head, recordedPatch(body.body), masks, patchRules(masks, body.body, []));
    case 'batch': {
      const operations = body.operations.map(({ operation: { kind, body: resource, id }, patch }): Json => {
        const shown = patch === undefined ? resource : recordedPatch(patch);
        return {
          operationType: kind,
          ...(id === undefined ? {} : { id: hidesIds(masks) ? LEFT_OUT : id }),
          ...(shown === undefined ? {} : { resourceBody: shown }),
        };
      });
      const rules = body.operations.flatMap(({ patch }, index) =>
        patch === undefined ? itemRules(masks, [index, 'resourceBody']) : patchRules(masks, patch, [index, 'resourceBody']),
      );
      return withBody(head, operations, masks, rules);
    }
    case 'parameters':
      // What code is given can be the value of any place.
      return masks.rules.length > 0
        ? { text: `${head}\n\n${LEFT_OUT}`, parameters: undefined }
        : withBody(head, body.parameters, masks, []);
    case 'definition':
      return withBody(head, body.definition, masks, []);
    default:
      return body satisfies never;
  }
}

/** The same with nothing masked, for the reviewer who decides on it. `body`: as it came. */
export function exactText(understood: Understood, body: string): string {
  const head = headOf(understood, exactParts(understood), (text) => text);
  return body === '' ? head : `${head}\n\n${body}`;
}

/** What an approval binds of the fields: all that go upstream, save those by which one try is told from the next. */
export function boundFields(fields: readonly HeaderField[]): readonly HeaderField[] {
  return fields.filter(({ name }) => !OF_ONE_TRY.has(name));
}

/** Method and path, then what the headers select. */
function headOf({ method, headers, kind }: Understood, { path, partitionKey }: ShownParts, prose: (text: string) => string): string {
  const shown = boundFields(headers.forwarded)
    .filter(({ name }) => name !== 'x-ms-documentdb-partitionkey' && !TELLS_NOTHING.has(name))
    .map(({ name, value }) => `${name}: ${prose(value)}`);
  return [
    `${method} ${path}`,
    `operation: ${kind}`,
    ...(partitionKey === undefined ? [] : [`partition key: ${partitionKey}`]),
    ...shown,
  ].join('\n');
}

function recordedQuery(head: string, { query, parameters }: QueryBody, masks: ContainerMasks, isWithheld: boolean): RecordedText {
  const prose = (text: string): string => maskProse(masks.classes, masks.detectors, text);
  return {
    text: `${head}\n\n${isWithheld ? withoutConstants(query) : prose(query)}`,
    parameters:
      parameters.length === 0
        ? undefined
        : parameters.map(({ name, value }) => `${name} = ${isWithheld ? LEFT_OUT : prose(JSON.stringify(value))}`),
  };
}

/** Names of items are values of a place. */
function hidesIds(masks: ContainerMasks): boolean {
  return classesAt(masks.rules, [[{ kind: 'key', key: 'id' }]]).length > 0;
}

/** Constants may be values of what they are compared with. */
function mentionsHidden({ body }: Understood, masks: ContainerMasks): boolean {
  if (body.kind !== 'query') return false;
  const { row, predicates, arranging } = body.lineage;
  return classesAt(masks.rules, [...placesOf(row), ...predicates, ...arranging]).length > 0;
}

/** A condition may compare with values of what it names. */
function recordedPatch({ source, conditionText }: PatchBody): Json {
  return { ...(conditionText === undefined ? {} : { condition: withoutConstants(conditionText) }), operations: source };
}

function itemRules(masks: ContainerMasks, item: Place): readonly PlaceRule[] {
  return masks.rules.map(({ path, rule }) => ({ place: [...item, ...path.steps], rule }));
}

function patchRules(masks: ContainerMasks, { operations }: PatchBody, item: Place): readonly PlaceRule[] {
  return operations.flatMap(({ path }, index) =>
    masks.rules.flatMap(({ path: hidden, rule }) =>
      reached(hidden, path).map((found) => ({
        place: [...item, 'operations', index, 'value', ...(found.kind === 'below' ? found.rest : [])],
        rule,
      })),
    ),
  );
}

function withBody(head: string, body: Json, masks: ContainerMasks, rules: readonly PlaceRule[]): RecordedText {
  const open = withoutSecretMembers(JSON.stringify(body));
  const { classes, detectors } = masks;
  const shown = open === undefined ? undefined : maskDocument({ classes, detectors, rules, systemOf: [], systemKeys: new Set() }, open);
  return { text: `${head}\n\n${shown?.text ?? LEFT_OUT}`, parameters: undefined };
}

const mostReasonCharacters = 256;
const OF_ONE_TRY: ReadonlySet<string> = new Set([
  'user-agent',
  'x-ms-activity-id',
  'x-ms-client-request-id',
  'x-ms-cosmos-correlated-activityid',
  'x-ms-session-token',
  'x-ms-useragent',
]);
const TELLS_NOTHING: ReadonlySet<string> = new Set([
  'cache-control',
  'content-type',
  'x-ms-cosmos-query-version',
  'x-ms-cosmos-sdk-supportedcapabilities',
  'x-ms-cosmos-supported-query-features',
  'x-ms-documentdb-isquery',
  'x-ms-documentdb-is-upsert',
  'x-ms-documentdb-query-enablecrosspartition',
  'x-ms-documentdb-query-parallelizecrosspartitionquery',
  'x-ms-documentdb-responsecontinuationtokenlimitinkb',
  'x-ms-cosmos-is-batch-request',
  'x-ms-cosmos-is-query-plan-request',
  'x-ms-version',
]);

import { GatewayFault } from '../../core/fault.ts';
import type { HeaderField, ReceivedRequest } from '../request.ts';
import { bodyFacts, type BodyFact } from './body-facts.ts';
import type { HttpTarget } from './environment.ts';
import { decodesTwice } from './escapes.ts';
import { mayBeOneParameter, parameterParts } from './fact-names.ts';
import { formNames } from './form-names.ts';
import { fieldName, spelledOut } from './head-names.ts';
import { textOf } from './mask.ts';
import { maskedJson } from './mask-text.ts';
import type { HttpMasks } from './masks.ts';
import { mediaTypeOf } from './media.ts';
import type { QueryParameter } from './path.ts';

/** `name=value` of what the target is configured to have policy asked about. Each is there, empty or not, where it is configured. */
export type ValueFacts = Readonly<Partial<Record<'body' | 'query' | 'headers', readonly string[]>>>;

/** `fields`: those that go upstream, so that policy is told of no other. Undefined: nothing is configured. */
export function valueFacts(
  { bodyFacts: places, queryFacts: parameters, headerFacts: names }: HttpTarget,
  request: ReceivedRequest,
  fields: readonly HeaderField[],
): ValueFacts | GatewayFault | undefined {
  if (places === undefined && parameters === undefined && names === undefined) return undefined;
  const body = places && bodyFacts(places, request);
  if (body instanceof GatewayFault) return body;
  const inQuery = places && twinInQuery(places, request);
  if (inQuery !== undefined) return untold('body', `the query has ${inQuery} as well`, plainParameters);
  const query = parameters && queryFacts(parameters, request.target.parameters);
  if (query instanceof GatewayFault) return query;
  const twin = query && twinInForm(query, request);
  if (twin !== undefined) return untold('query', `a form in the body has ${twin} as well`, plainParameters);
  const headers = names && headerFacts(names, fields);
  if (headers instanceof GatewayFault) return headers;
  return { ...(body && { body }), ...(query && { query }), ...(headers && { headers }) };
}

/** As they go on record: masked where a place of this path is hidden, and by what detectors find in the value, or in all of it. */
export function recordedValues(
  values: ValueFacts,
  { bodyFacts: places }: HttpTarget,
  request: ReceivedRequest,
  record: HttpMasks,
  shown: (text: string) => string,
): ValueFacts {
  if (values.body === undefined || places === undefined || record.rules.length === 0) return shownValues(values, shown);
  const body = bodyFacts(places, maskedAtPlaces(request, record));
  return shownValues({ ...values, body: body instanceof GatewayFault ? [] : body }, shown);
}

/** Of JSON: nothing else has places. */
function maskedAtPlaces(request: ReceivedRequest, record: HttpMasks): ReceivedRequest {
  const { body, fields } = request;
  const text = body.kind === 'whole' && mediaTypeOf(fields).kind === 'json' ? textOf(body.bytes) : undefined;
  const masked = text === undefined ? undefined : maskedJson(record, text, new Map());
  return masked === undefined ? request : { ...request, body: { kind: 'whole', bytes: encoder.encode(masked) } };
}

/** Masked by what is found in the value, or in all of it. */
export function shownValues(values: ValueFacts, shown: (text: string) => string): ValueFacts {
  const one = (fact: string): string => {
    const value = fact.indexOf('=') + 1;
    const masked = `${fact.slice(0, value)}${shown(fact.slice(value))}`;
    return masked === fact ? shown(fact) : masked;
  };
  return Object.fromEntries(Object.entries(values).map(([name, facts]) => [name, facts.map(one)]));
}

/**
 * The fact `query`: the value of each of these parameters that the query has, decoded once. What a server could read otherwise is refused: some take the first of two values, some
 * the last or both, and some take `Status` or `status[]` for `status`; a plus is a space in forms only.
 */
export function queryFacts(names: readonly string[], parameters: readonly QueryParameter[]): readonly string[] | GatewayFault {
  const found = new Map<string, string>();
  const partsOfNames = names.map(parameterParts);
  for (const { name, value, canonical } of parameters) {
    const parts = parameterParts(name);
    const meant = names[partsOfNames.findIndex((own) => mayBeOneParameter(own, parts))];
    if (meant === undefined) continue;
    const why =
      meant !== name
        ? `a parameter has almost the name ${meant}`
        : canonical.includes('+')
          ? `the value of ${name} has a "+"`
          : decodesTwice(value)
            ? `the value of ${name} has an escape of an escape`
            : unfit(found, name, value);
    if (why !== undefined) return untold('query', why, plainParameters);
    found.set(name, `${name}=${value}`);
  }
  return [...found.values()].sort();
}

/** The fact `headers`. `names` in lower case. The same of header fields: CGI and its heirs take `X_Tenant` for `X-Tenant`. */
export function headerFacts(names: readonly string[], fields: readonly HeaderField[]): readonly string[] | GatewayFault {
  const found = new Map<string, string>();
  const spelledNames = names.map(spelledOut);
  for (const { name, value } of fields) {
    const meant = names[spelledNames.indexOf(fieldName(name)?.spelled ?? spelledOut(name))];
    if (meant === undefined) continue;
    const why = meant === name ? unfit(found, name, value) : `a field is spelled almost like ${meant}`;
    if (why !== undefined) return untold('header', why, 'Give each field once, by its plain name.');
    found.set(name, `${name}=${value}`);
  }
  return [...found.values()].sort();
}

/** Some servers read the parameters of query and form as one, and either may win. */
function twinInForm(query: readonly string[], request: ReceivedRequest): string | undefined {
  if (query.length === 0) return undefined;
  const inForm = formNames(request).map(parameterParts);
  return query
    .map((fact) => fact.slice(0, fact.indexOf('=')))
    .find((name) => inForm.some((parts) => mayBeOneParameter(parameterParts(name), parts)));
}

/** The same the other way: also of a field that the form does not have, and policy would take for none. */
function twinInQuery(places: readonly BodyFact[], { body, fields, target }: ReceivedRequest): string | undefined {
  const { kind, name } = mediaTypeOf(fields);
  if (body.kind === 'none' || (kind !== 'form' && name !== 'multipart/form-data')) return undefined;
  const inQuery = target.parameters.map((parameter) => parameterParts(parameter.name));
  return places
    .map(({ path }) => path.steps[0])
    .filter((step) => typeof step === 'string')
    .find((field) => inQuery.some((parts) => mayBeOneParameter(parameterParts(field), parts)));
}

function unfit(found: ReadonlyMap<string, string>, name: string, value: string): string | undefined {
  if (found.has(name)) return `${name} is given twice`;
  return value.length > mostCharacters ? `the value of ${name} is longer than ${mostCharacters} characters` : undefined;
}

function untold(part: string, why: string, hint: string): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: `policy asks about values in the ${part} of the request, and they cannot be told: ${why}`,
    hint,
  });
}

const plainParameters = 'Give each parameter once, by its plain name; write %20 for a space, %2B for a plus.';
const encoder = new TextEncoder();
/** As of bodies. */
const mostCharacters = 256;

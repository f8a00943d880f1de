import { GatewayFault } from '../../core/fault.ts';
import type { JsonPath } from '../../masking/json-path.ts';
import { formFields, multipartFields, whyUncertain, type FormField } from './form-fields.ts';
import { mediaTypeOf } from './media.ts';
import { boundaryOf } from './multipart.ts';
import type { ReceivedRequest } from '../request.ts';

/** A value of bodies that policy may ask about. */
export interface BodyFact {
  readonly name: string;
  readonly path: JsonPath;
}

/**
 * The fact `body`: `name=value` for every value that stands at one of the places, of JSON, of forms and of multipart forms. Text as it is, numbers and true, false and null as JSON has them. A
 * body that cannot be read as its target will read it is refused: what policy does not see could be anything.
 */
export function bodyFacts(places: readonly BodyFact[], request: ReceivedRequest): readonly string[] | GatewayFault {
  const { body, fields } = request;
  if (body.kind === 'none' || (body.kind === 'whole' && body.bytes.length === 0)) return [];
  if (body.kind === 'streamed') return unread('it is longer than what is gathered');
  if (fields.some(({ name }) => name === 'content-encoding')) return unread('it has a content coding');
  const value = read(places, body.bytes, fields);
  if (value instanceof GatewayFault) return value;
  const found = new Set<string>();
  for (const { name, path } of places) {
    const values = valuesAt(value, path.steps);
    // A rule that asks for the one value would be content with either of two.
    if (values.length > 1 && !path.steps.includes(undefined))
      return unread(`${name} has several values, where it is configured to have one`);
    for (const one of values) {
      if (one.length > mostCharacters) return unread(`a value of ${name} is longer than ${mostCharacters} characters`);
      found.add(`${name}=${one}`);
      if (found.size > mostValues) return unread(`it has more than ${mostValues} values that policy asks about`);
    }
  }
  return [...found].sort();
}

/** Objects as maps: their keys are the client's. */
type Value = ReadonlyMap<string, Value> | readonly Value[] | string;

function read(places: readonly BodyFact[], bytes: Uint8Array, fields: ReceivedRequest['fields']): Value | GatewayFault {
  const { kind, name, isUtf8 } = mediaTypeOf(fields);
  if (name === 'multipart/form-data') return readForm(places, multipartFields(bytes, boundaryOf(fields)));
  if (kind !== 'json' && kind !== 'form') return unread(name === '' ? 'its media type is missing or cannot be read' : `it is ${name}`);
  const text = isUtf8 ? decoded(bytes) : undefined;
  if (text === undefined) return unread('it is no UTF-8');
  return kind === 'json' ? readJson(text) : readForm(places, formFields(text));
}

function readJson(text: string): Value | GatewayFault {
  try {
    let members = 0;
    const value = JSON.parse(text) as unknown;
    const made = ofJson(value, 0, () => (members += 1));
    // `JSON.parse` keeps the last of two members with one name; the target may keep the first.
    return members === membersIn(text) ? made : unread('a name stands twice in one of its objects');
  } catch {
    return unread('it is no JSON, or too deep');
  }
}

function ofJson(value: unknown, depth: number, counted: () => void): Value {
  if (depth > deepest) throw new RangeError('too deep');
  if (Array.isArray(value)) return value.map((one) => ofJson(one, depth + 1, counted));
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? value : JSON.stringify(value);
  return new Map(
    Object.entries(value).map(([key, one]) => {
      counted();
      return [key, ofJson(one, depth + 1, counted)];
    }),
  );
}

/** Of a text that is JSON: every colon outside of texts belongs to a member. */
function membersIn(text: string): number {
  let members = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === ':') members += 1;
    else if (text[at] === '"') for (at += 1; text[at] !== '"'; at += 1) if (text[at] === '\\') at += 1;
  }
  return members;
}

/** A place is a field: `$.field`, or `$.field[*]` of one that may be given several times. */
function readForm(places: readonly BodyFact[], fields: readonly FormField[] | string): Value | GatewayFault {
  if (typeof fields === 'string') return unread(fields);
  const values = new Map<string, string[]>();
  for (const { path } of places) {
    const [field, ...rest] = path.steps;
    const why = typeof field === 'string' ? whyUncertain(field, rest.length > 0, fields) : undefined;
    if (why !== undefined) return unread(why);
  }
  for (const { name, value } of fields) if (value !== undefined) values.set(name, [...(values.get(name) ?? []), value]);
  return values;
}

/** Lists on the way to a name are looked into, and so are those at the end. */
function valuesAt(value: Value, steps: JsonPath['steps']): readonly string[] {
  const [step, ...rest] = steps;
  if (typeof value === 'string') return steps.length === 0 ? [value] : [];
  if (value instanceof Map) {
    if (steps.length === 0 || typeof step === 'number') return [];
    const members = step === undefined ? [...value.values()] : [value.get(step)].filter((one) => one !== undefined);
    return members.flatMap((one) => valuesAt(one as Value, rest));
  }
  const list = value as readonly Value[];
  if (steps.length === 0 || typeof step === 'string') return list.flatMap((one) => valuesAt(one, steps));
  return (step === undefined ? list : list.slice(step, step + 1)).flatMap((one) => valuesAt(one, rest));
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function unread(why: string): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: `policy asks about values in the body of the request, and they cannot be told: ${why}`,
    hint: 'Send JSON, a form or multipart/form-data, in UTF-8 and without a content coding.',
  });
}

const decoder = new TextDecoder('utf-8', { fatal: true });
const mostValues = 100;
const mostCharacters = 256;
const deepest = 200;

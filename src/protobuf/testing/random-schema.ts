import { describe, type Described } from './describe.ts';
import { once, oneOf, type Choose } from './random.ts';

/** A random schema, and which of its fields are hidden: full name of the type and number. */
export interface RandomSchema extends Described {
  readonly typeNames: readonly string[];
  /** Such as `acme.v1.T0 15`. */
  readonly hidden: ReadonlySet<string>;
  /** The same as rules. */
  readonly paths: readonly string[];
}

/** Types that refer to each other and to well-known ones. The method `/acme.v1.Accounts/Get` answers with the first. */
export function randomSchema(choose: Choose): RandomSchema {
  const names = ['T0', 'T1', 'T2'].slice(0, 1 + choose(2));
  const syntax = once(choose, 3) ? 'proto2' : 'proto3';
  const hidden = new Set<string>();
  const paths: string[] = [];
  const types = names.map((name): [string, readonly string[]] => {
    const numbers = NUMBERS.filter(() => choose(1) === 0).slice(0, 6);
    const fields = (numbers.length === 0 ? [1] : numbers).map((number) => {
      if (once(choose, 3)) {
        hidden.add(`acme.v1.${name} ${number}`);
        paths.push(`acme.v1.${name}#$.f${number}`);
      }
      return fieldLine(choose, number, names, syntax);
    });
    // Members of a oneof stand together.
    return [name, fields.sort((one, other) => Number(one.endsWith(' in choice')) - Number(other.endsWith(' in choice')))];
  });
  const described = describe(Object.fromEntries(types), ['Get(T0) returns (T0)'], syntax);
  return { ...described, typeNames: names.map((name) => `acme.v1.${name}`), hidden, paths };
}

function fieldLine(choose: Choose, number: number, names: readonly string[], syntax: 'proto2' | 'proto3'): string {
  const own = `f${number} = ${number}`;
  const type = once(choose, 2) ? oneOf(choose, SCALARS) : oneOf(choose, [...names, ...names, ...WELL_KNOWN]);
  switch (choose(5)) {
    case 0:
      return `repeated ${type} ${own}`;
    case 1:
      return `map<${oneOf(choose, KEYS)}, ${type}> ${own}`;
    case 2:
      return `${type} ${own} in choice`;
    case 3:
      return syntax === 'proto2' && names.includes(type) ? `${once(choose, 2) ? 'repeated ' : ''}group ${type} ${own}` : `${type} ${own}`;
    default:
      return `${type} ${own}`;
  }
}

/** With tags of one byte and of more, up to the last number there is. */
const NUMBERS = [1, 2, 3, 4, 15, 16, 100, 2047, 2048, 536_870_911];
const KEYS = ['string', 'string', 'int32', 'uint64', 'sint32', 'fixed32', 'sfixed64', 'bool'];
const SCALARS =
  'string string string bytes Level bool double float int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64'.split(' ');
const WELL_KNOWN = [
  'google.protobuf.StringValue',
  'google.protobuf.Int64Value',
  'google.protobuf.BytesValue',
  'google.protobuf.Struct',
  'google.protobuf.Value',
  'google.protobuf.ListValue',
  'google.protobuf.Any',
  'google.protobuf.Any',
  'google.protobuf.Timestamp',
];

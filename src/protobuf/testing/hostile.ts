import { concatenated } from '../../core/bytes.ts';
import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { encodedRecord, encodedTag, encodedVarint, END_GROUP, FIXED32, FIXED64, LENGTH_DELIMITED, START_GROUP, VARINT } from '../wire.ts';
import type { RandomSchema } from './random-schema.ts';
import { once, oneOf, shuffled, type Choose } from './random.ts';

/** Stands in every text that must not be seen. */
export const CANARY = 'CANARY';

/** A message in the oddest spelling that decoders accept. */
export interface Hostile {
  readonly bytes: Uint8Array;
  /** An Any in it has two types, so that what is hidden by one may be seen by the other. */
  readonly hasTwoTypes: boolean;
}

/**
 * Random bytes of a message: fields in any order, missing, twice, and messages in parts; numbers longer than need be; packed and not packed; fields
 * of other wire types; unknown fields; entries of maps with keys behind values, twice or missing; members of a oneof after each other; an Any in
 * any order. Whatever is hidden holds the canary. `miswires`: also fields of a wire type that is not theirs, which not all decoders accept.
 */
export function hostileMessage(choose: Choose, schema: RandomSchema, type: DescMessage, miswires: boolean): Hostile {
  const speller = new Speller(choose, schema, miswires);
  const bytes = speller.message(type, false, 0);
  return { bytes, hasTwoTypes: speller.hasTwoTypes };
}

class Speller {
  hasTwoTypes = false;
  readonly #choose: Choose;
  readonly #schema: RandomSchema;
  readonly #miswires: boolean;

  constructor(choose: Choose, schema: RandomSchema, miswires: boolean) {
    this.#miswires = miswires;
    this.#choose = choose;
    this.#schema = schema;
  }

  message(type: DescMessage, isHidden: boolean, depth: number): Uint8Array {
    if (type.typeName === 'google.protobuf.Any') return this.#any(isHidden, depth);
    const records: Uint8Array[] = [];
    for (const field of type.fields) {
      const isFieldHidden = isHidden || this.#schema.hidden.has(`${type.typeName} ${field.number}`);
      const times = depth > 4 ? 0 : Math.max(0, this.#choose(4) - 1);
      for (let time = 0; time < times; time += 1) records.push(this.#field(field, isFieldHidden, depth));
      if (this.#miswires && once(this.#choose, 12)) records.push(this.#otherWireType(field));
    }
    if (once(this.#choose, 4)) records.push(this.#unknown(type));
    return concatenated(shuffled(this.#choose, records));
  }

  #field(field: DescField, isHidden: boolean, depth: number): Uint8Array {
    const { number } = field;
    switch (field.fieldKind) {
      case 'scalar':
        return this.#scalarRecord(number, field.scalar, isHidden);
      case 'enum':
        return concatenated([
          this.#tag(number, VARINT),
          this.#varint(oneOf(this.#choose, field.enum.open && !isHidden ? [0, 2, 5] : [0, 2])),
        ]);
      case 'message':
        return this.#submessage(field, field.message, field.delimitedEncoding, isHidden, depth);
      case 'map': {
        const key = (): Uint8Array => this.#scalarRecord(1, field.mapKey, isHidden);
        const value = (): Uint8Array => {
          if (field.mapKind === 'message') return this.#record(2, this.message(field.message, isHidden, depth + 1));
          if (field.mapKind === 'enum') return concatenated([this.#tag(2, VARINT), this.#varint(2)]);
          return this.#scalarRecord(2, field.scalar, isHidden);
        };
        const parts = [...this.#some(key), ...this.#some(value)];
        if (once(this.#choose, 8)) parts.push(encodedRecord(3, text(CANARY)));
        return this.#record(number, concatenated(shuffled(this.#choose, parts)));
      }
      case 'list':
        if (field.listKind === 'message') return this.#submessage(field, field.message, field.delimitedEncoding, isHidden, depth);
        if (field.listKind === 'enum') return this.#numbers(number, VARINT, () => this.#varint(2));
        if (field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES)
          return this.#scalarRecord(number, field.scalar, isHidden);
        return this.#numbers(number, wireTypeOf(field.scalar), () => this.#number(field.scalar));
      default:
        return field satisfies never;
    }
  }

  /** Mostly one. */
  #some(make: () => Uint8Array): readonly Uint8Array[] {
    return Array.from({ length: oneOf(this.#choose, [0, 1, 1, 1, 1, 2, 3]) }, make);
  }

  #submessage({ number }: DescField, type: DescMessage, isGroup: boolean, isHidden: boolean, depth: number): Uint8Array {
    const content = this.message(type, isHidden, depth + 1);
    return isGroup ? concatenated([this.#tag(number, START_GROUP), content, this.#tag(number, END_GROUP)]) : this.#record(number, content);
  }

  #scalarRecord(number: number, scalar: ScalarType, isHidden: boolean): Uint8Array {
    if (scalar !== ScalarType.STRING && scalar !== ScalarType.BYTES) {
      return concatenated([this.#tag(number, wireTypeOf(scalar)), this.#number(scalar)]);
    }
    const value = text(`${isHidden ? CANARY : oneOf(this.#choose, ['plain', 'schön', ''])}${this.#choose(9)}`);
    const isBinary = scalar === ScalarType.BYTES && once(this.#choose, 3);
    return this.#record(number, isBinary ? concatenated([value, Uint8Array.of(0xff)]) : value);
  }

  #numbers(number: number, wireType: number, make: () => Uint8Array): Uint8Array {
    if (once(this.#choose, 2)) return concatenated([this.#tag(number, wireType), make()]);
    return this.#record(number, concatenated(Array.from({ length: this.#choose(3) }, make)));
  }

  #number(scalar: ScalarType): Uint8Array {
    const wireType = wireTypeOf(scalar);
    const value = oneOf(this.#choose, [0, 1, 7, 300, 2 ** 31 - 1]);
    if (wireType === VARINT) return scalar === ScalarType.BOOL ? this.#varint(value % 2) : this.#varint(value);
    const view = new DataView(new ArrayBuffer(wireType === FIXED64 ? 8 : 4));
    if (scalar === ScalarType.DOUBLE) view.setFloat64(0, value / 2, true);
    else if (scalar === ScalarType.FLOAT) view.setFloat32(0, value / 2, true);
    else view.setUint32(0, value, true);
    return new Uint8Array(view.buffer);
  }

  #any(isHidden: boolean, depth: number): Uint8Array {
    const types = this.#schema.typeNames;
    const isOther = once(this.#choose, 8);
    if (isOther) this.hasTwoTypes = true;
    const name = isOther ? oneOf(this.#choose, types) : types.at(-1)!;
    const type = this.#schema.registry.getMessage(name)!;
    const url = (typeName: string): Uint8Array => this.#record(1, text(`type.googleapis.com/${typeName}`));
    if (once(this.#choose, 8)) return concatenated([url('acme.v1.Unheard'), encodedRecord(2, encodedRecord(7, text(CANARY)))]);
    const parts = [
      url(name),
      ...this.#some(() => this.#record(2, depth > 4 ? new Uint8Array(0) : this.message(type, isHidden, depth + 1))),
    ];
    if (isOther) parts.push(url(types[0]!));
    if (once(this.#choose, 8)) parts.push(encodedRecord(3, text(CANARY)));
    return concatenated(shuffled(this.#choose, parts));
  }

  /** A field that is known by its number, in a wire type that it does not have. */
  #otherWireType(field: DescField): Uint8Array {
    const kind = field.fieldKind === 'list' ? field.listKind : field.fieldKind;
    const isNumber =
      kind === 'enum' || (kind === 'scalar' && ![ScalarType.STRING, ScalarType.BYTES].includes((field as { scalar: ScalarType }).scalar));
    const { number } = field;
    if (isNumber && field.fieldKind !== 'list') return encodedRecord(number, text(CANARY));
    if (isNumber) return concatenated([encodedTag(number, START_GROUP), encodedRecord(1, text(CANARY)), encodedTag(number, END_GROUP)]);
    return concatenated([encodedTag(field.number, FIXED64), text(`${CANARY}!!`)]);
  }

  #unknown(type: DescMessage): Uint8Array {
    const number = oneOf(
      this.#choose,
      [5, 6, 17, 99, 536_870_910].filter((one) => !type.fields.some((field) => field.number === one)),
    );
    const content = encodedRecord(7, text(CANARY));
    return oneOf(this.#choose, [
      encodedRecord(number, text(CANARY)),
      concatenated([encodedTag(number, VARINT), encodedVarint(7)]),
      concatenated([encodedTag(number, FIXED32), text('CANA')]),
      concatenated([encodedTag(number, START_GROUP), content, encodedTag(number, END_GROUP)]),
    ]);
  }

  #record(number: number, payload: Uint8Array): Uint8Array {
    return concatenated([this.#tag(number, LENGTH_DELIMITED), this.#varint(payload.length, 5), payload]);
  }

  #tag(number: number, wireType: number): Uint8Array {
    return this.#varint(number * 8 + wireType, 5);
  }

  /** Sometimes longer than need be; tags and lengths have at most five bytes in C++. */
  #varint(value: number, most = 10): Uint8Array {
    const shortest = encodedVarint(value);
    const extra = once(this.#choose, 10) ? this.#choose(most - shortest.length) : 0;
    if (extra === 0) return shortest;
    const long = new Uint8Array(shortest.length + extra).fill(0x80);
    long.set(shortest);
    long[shortest.length - 1]! |= 0x80;
    long[long.length - 1] = 0;
    return long;
  }
}

function wireTypeOf(scalar: ScalarType): number {
  if ([ScalarType.DOUBLE, ScalarType.FIXED64, ScalarType.SFIXED64].includes(scalar)) return FIXED64;
  return [ScalarType.FLOAT, ScalarType.FIXED32, ScalarType.SFIXED32].includes(scalar) ? FIXED32 : VARINT;
}

function text(value: string): Uint8Array {
  return encoder.encode(value);
}

const encoder = new TextEncoder();

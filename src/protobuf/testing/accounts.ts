import { fromBinary, fromJson, toBinary, toJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { GatewayFault } from '../../core/fault.ts';
import type { Crypto } from '../../core/crypto.ts';
import type { MaskKind } from '../../masking/types.ts';
import { messageMasks, type MaskedMessage, type MessageMasks, type MessageMasksOptions } from '../masks.ts';
import { schemaOf } from '../schema.ts';
import { testClasses } from './classes.ts';
import { describe, fieldOption } from './describe.ts';

export const described = describe(
  {
    Owner: [
      'string name = 1',
      'string ssn = 2',
      'int64 tax_number = 3',
      'bytes scan = 4',
      'repeated string phones = 5',
      'repeated int32 pins = 6',
      'Level level = 7',
      'bool is_vip = 8',
      'double income = 9',
      'Owner spouse = 10',
      'string passport = 11 in document',
      'string licence = 12 in document',
      'fixed64 member = 13',
      'string marked = 14 [secret]',
    ],
    Account: [
      'string id = 1',
      'Owner owner = 2',
      'repeated Owner others = 3',
      'map<string, Owner> by_role = 4',
      'map<string, string> notes = 5',
      'map<int32, string> numbered = 6',
      'google.protobuf.StringValue alias = 7',
      'google.protobuf.Struct profile = 8',
      'google.protobuf.Any detail = 9',
      'google.protobuf.Timestamp opened = 10',
      'repeated google.protobuf.Any details = 11',
      'google.protobuf.Value anything = 12',
    ],
    Wrapped: ['google.protobuf.Any detail = 1', 'Account account = 2'],
    Other: ['string harmless = 2', 'string name = 1'],
  },
  ['Get(Owner) returns (Account)', 'Watch(Owner) returns (stream Wrapped)'],
);
export const schema = schemaOf([described.set], { fieldOption });
export const get = schema.method('/acme.v1.Accounts/Get')!;
const accountType = described.registry.getMessage('acme.v1.Account')!;
const ownerType = described.registry.getMessage('acme.v1.Owner')!;
export const jsonOptions = { registry: described.registry };

/** Masks of the target `billing` for these messages. */
export function accountMasks(crypto: Crypto) {
  /** With `ssn` hidden at these places, and no detectors. */
  const masksFor = (paths: readonly string[], more: Partial<MessageMasksOptions> = {}, mask: MaskKind = 'partial-last4'): MessageMasks => {
    const classes = testClasses(crypto, { ssn: { mask, paths } });
    return messageMasks({ schema, target: 'billing', classes, revealed: new Set(), mode: 'taint', unknownFields: 'drop', ...more });
  };
  /** With detectors of two classes. */
  const detecting = (mask: MaskKind = 'partial-last4', more: Partial<MessageMasksOptions> = {}): MessageMasks => {
    const classes = testClasses(crypto, {
      ssn: { mask, detect: [{ kind: 'recogniser', name: 'us-ssn' }] },
      card: { mask, detect: [{ kind: 'recogniser', name: 'card-number' }] },
    });
    return masksFor([], { classes, ...more });
  };
  return { masksFor, detecting };
}

export function shown(masked: MaskedMessage | GatewayFault): MaskedMessage {
  if (masked instanceof GatewayFault) throw masked;
  return masked;
}

export function account(json: JsonObject): Uint8Array {
  return toBinary(accountType, fromJson(accountType, json, jsonOptions));
}

export function owner(json: JsonObject): Uint8Array {
  return toBinary(ownerType, fromJson(ownerType, json, jsonOptions));
}

/** As another implementation reads it. */
export function read(bytes: Uint8Array): JsonValue {
  return toJson(accountType, fromBinary(accountType, bytes), jsonOptions);
}

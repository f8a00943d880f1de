import type { Crypto } from '../../../core/crypto.ts';
import type { SessionLimits } from '../../../core/limits.ts';
import type { MaskingMode } from '../../../core/target.ts';
import { compileDataClasses } from '../../../masking/classes.ts';
import { schemaOf } from '../../../protobuf/schema.ts';
import { describe } from '../../../protobuf/testing/describe.ts';
import type { AskedRequest, ReceivedRequest, RequestBody } from '../../request.ts';
import { askGrpc } from '../ask.ts';
import { describedBy } from '../described.ts';
import type { GrpcEnvironment, GrpcTarget, Inflate } from '../environment.ts';
import { encodeFrame } from '../frame.ts';

export interface EnvironmentOptions extends Partial<Pick<GrpcTarget, 'readOnly' | 'reflection' | 'unsafeAdmin'>> {
  /** SSNs stand in `Account.ssn`, in messages of this target. `open`: of another one, so that only detectors look here. */
  readonly places?: 'here' | 'open';
  readonly masking?: MaskingMode;
  readonly revealed?: readonly string[];
  readonly isDescribed?: boolean;
  readonly limits?: Partial<SessionLimits>;
}

/** A target `ledger` with `acme.v1.Accounts`, and card numbers looked for everywhere. */
export function environmentWith(crypto: Crypto, inflate: Inflate, options: EnvironmentOptions = {}): GrpcEnvironment {
  const { places = 'here', masking = 'taint', revealed = [], isDescribed = true } = options;
  const documents = [{ target: places === 'here' ? 'ledger' : 'elsewhere', segments: ['acme.v1.Account'], path: '$.ssn' }];
  return {
    target: {
      name: 'ledger',
      masking,
      readOnly: options.readOnly ?? false,
      credentialNames: ['authorization'],
      reflection: options.reflection ?? false,
      unsafeAdmin: options.unsafeAdmin ?? false,
      maxMessageBytes: 1_000,
    },
    classes: compileDataClasses(
      [
        { name: 'ssn', columns: [], paths: [], documents, detect: [], mask: 'partial-last4' },
        { name: 'card', columns: [], paths: [], detect: [{ kind: 'recogniser', name: 'card-number' }], mask: 'partial-last4' },
      ],
      crypto,
      new Uint8Array(32),
    ),
    revealed: new Set(revealed),
    schema: isDescribed ? schema : undefined,
    closed: undefined,
    inflate,
    limits: { inForce: {}, rowsLeft: () => Infinity, countRows: () => {}, ...options.limits },
  };
}

export interface Made {
  readonly path?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  readonly host?: string;
}

export function asked(
  environment: GrpcEnvironment,
  { path = `/${accounts}/Get`, fields = {}, body = whole(sent('to ann')), host = '' }: Made = {},
): AskedRequest {
  const given = { te: 'trailers', 'content-type': 'application/grpc', ...fields };
  const all = Object.entries(given).map(([name, value]) => ({ name, value }));
  const target = { path, query: undefined, decodedPath: path, parameters: [] };
  const forwardable = all.filter(({ name }) => name !== 'te' && !name.startsWith('sallyport-'));
  const request: ReceivedRequest = { method: 'POST', target, host, base: '', upgrade: undefined, fields: all, forwardable, body };
  return askGrpc(request, environment);
}

export const accounts = 'acme.v1.Accounts';
export const session = { id: 's', nextOperationId: () => 's-1' };
export const whole = (...messages: readonly Uint8Array[]): RequestBody => ({ kind: 'whole', bytes: joined(messages) });

/** A message with one text in field 1, in its frame. */
export function sent(text: string, flags = 0): Uint8Array {
  return encodeFrame(flags, textField(1, text));
}

/** A length-delimited field of fewer than 128 bytes. */
export function textField(number: number, text: string | Uint8Array): Uint8Array {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  return joined([Uint8Array.of(number * 8 + 2, bytes.length), bytes]);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const types = {
  Wanted: ['string number = 1', 'string password = 2'],
  Account: ['string number = 1', 'string ssn = 2', 'string note = 3'],
};
const schema = describedBy(
  schemaOf([
    describe(types, ['Get(Wanted) returns (Account)', 'List(Wanted) returns (stream Account)', 'Import(stream Wanted) returns (Account)'])
      .set,
  ]),
  'drop',
);

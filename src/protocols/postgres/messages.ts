/**
 * The messages of the PostgreSQL frontend/backend protocol, versions 3.0 and 3.2, as the gateway understands them once opened.
 * Names, field order and meaning follow the PostgreSQL 18 manual, chapter "Frontend/Backend Protocol", section "Message Formats";
 * `kind` is the manual's own name of the message. Byte fields are views of the bytes that were decoded: whoever keeps one copies it.
 */

/** `code` of the untagged messages that open a connection (the first Int32 after the length). */
export const STARTUP_CODE = {
  CancelRequest: 80_877_102,
  SSLRequest: 80_877_103,
  GSSENCRequest: 80_877_104,
  Protocol30: 196_608,
  Protocol32: 196_610,
} as const;

/** First byte of each message a client may send. `p` carries four messages; which one is known from what was asked. */
export const CLIENT_TAG = {
  Bind: 0x42,
  Close: 0x43,
  CopyData: 0x64,
  CopyDone: 0x63,
  CopyFail: 0x66,
  Describe: 0x44,
  Execute: 0x45,
  Flush: 0x48,
  FunctionCall: 0x46,
  Parse: 0x50,
  /** PasswordMessage, SASLInitialResponse, SASLResponse, GSSResponse. */
  AuthenticationResponse: 0x70,
  Query: 0x51,
  Sync: 0x53,
  Terminate: 0x58,
} as const;

/** First byte of each message a server may send. */
export const SERVER_TAG = {
  Authentication: 0x52,
  BackendKeyData: 0x4b,
  BindComplete: 0x32,
  CloseComplete: 0x33,
  CommandComplete: 0x43,
  CopyBothResponse: 0x57,
  CopyData: 0x64,
  CopyDone: 0x63,
  CopyInResponse: 0x47,
  CopyOutResponse: 0x48,
  DataRow: 0x44,
  EmptyQueryResponse: 0x49,
  ErrorResponse: 0x45,
  FunctionCallResponse: 0x56,
  NegotiateProtocolVersion: 0x76,
  NoData: 0x6e,
  NoticeResponse: 0x4e,
  NotificationResponse: 0x41,
  ParameterDescription: 0x74,
  ParameterStatus: 0x53,
  ParseComplete: 0x31,
  PortalSuspended: 0x73,
  ReadyForQuery: 0x5a,
  RowDescription: 0x54,
} as const;

/** Bytes in a length field's count; it includes itself. */
export const LENGTH_FIELD_BYTES = 4;
/** Tag and length field. */
export const HEADER_BYTES = 5;

/**
 * Largest value of a message's length field, by what it holds. The unit is bytes and the length field's own four count, as they do
 * on the wire. Where no origin is named the number is the gateway's own.
 */
export const LIMIT_BYTES = {
  /** Startup packet: the server's `MAX_STARTUP_PACKET_LENGTH` (`libpq/pqcomm.h`). */
  startup: 10_000,
  /** Any other message before login: the same figure, as pgproto3 uses it. */
  beforeLogin: 10_000,
  /** PasswordMessage: the server's `PG_MAX_AUTH_TOKEN_LENGTH` (`libpq/auth.h`); room for a JWT. */
  password: 65_535,
  /** SASLInitialResponse and SASLResponse: PostgreSQL 18 allows `PG_MAX_AUTH_TOKEN_LENGTH` for OAUTHBEARER. */
  sasl: 65_535,
  /** Query and Parse. The server accepts 1 GiB; nobody reviews that. Configurable. */
  query: 16 * 1024 * 1024,
  /** Bind with its parameters, which the gateway assembles. */
  bind: 64 * 1024 * 1024,
  /** Messages that hold a name or nothing: Describe, Execute, Close, Sync, Flush, Terminate: the server's `PQ_SMALL_MESSAGE_LIMIT`. */
  small: 10_000,
  /** CopyFail: its text is only an error message. */
  copyFail: 65_535,
  /** Messages from the upstream that are opened whole: descriptions, errors, notices, notifications. */
  serverOpened: 16 * 1024 * 1024,
  /** A data row that is opened for masking. */
  openedRow: 256 * 1024 * 1024,
  /** Anything that is only forwarded: the server's `PQ_LARGE_MESSAGE_LIMIT` (`MaxAllocSize - 1`, 1 GiB). */
  forwarded: 0x3fff_fffe,
} as const;

/** A cancel key's length, protocol 3.2 ("Message Formats", BackendKeyData): 4 to 256 bytes; 3.0 knows exactly 4. */
export const CANCEL_KEY_MIN_BYTES = 4;
export const CANCEL_KEY_MAX_BYTES = 256;

/** 0 text, 1 binary. */
export type Format = 0 | 1;

/** `S` a prepared statement, `P` a portal. */
export type NameSpace = 'S' | 'P';

/** ReadyForQuery's status: `I` idle, `T` in a transaction, `E` in a failed transaction. */
export type TransactionStatus = 'I' | 'T' | 'E';

/** The untagged messages that open a connection. */
export type StartupPacket = StartupMessage | CancelRequest | { readonly kind: 'SSLRequest' } | { readonly kind: 'GSSENCRequest' };

export interface StartupMessage {
  readonly kind: 'StartupMessage';
  /** Always 3. */
  readonly major: number;
  readonly minor: number;
  /** In the order sent; no name occurs twice. */
  readonly parameters: readonly StartupParameter[];
}

export interface StartupParameter {
  readonly name: string;
  readonly value: string;
}

export interface CancelRequest {
  readonly kind: 'CancelRequest';
  readonly processId: number;
  /** 4 to 256 bytes. */
  readonly secretKey: Uint8Array;
}

/** Every tagged message of a client, except those under tag `p`, whose meaning depends on the state. */
export type ClientMessage =
  | Bind
  | Parse
  | FunctionCall
  | { readonly kind: 'Query'; readonly query: string }
  | { readonly kind: 'Describe'; readonly what: NameSpace; readonly name: string }
  | { readonly kind: 'Close'; readonly what: NameSpace; readonly name: string }
  /** `maxRows`: 0 or less asks for all rows. */
  | { readonly kind: 'Execute'; readonly portal: string; readonly maxRows: number }
  | { readonly kind: 'CopyData'; readonly data: Uint8Array }
  | { readonly kind: 'CopyDone' }
  | { readonly kind: 'CopyFail'; readonly reason: string }
  | { readonly kind: 'Flush' }
  | { readonly kind: 'Sync' }
  | { readonly kind: 'Terminate' };

export interface Parse {
  readonly kind: 'Parse';
  /** Empty: the unnamed statement. */
  readonly name: string;
  readonly query: string;
  /** Type OIDs; 0 leaves a type to the server. May be shorter than the statement's parameters. */
  readonly parameterTypes: readonly number[];
}

export interface Bind {
  readonly kind: 'Bind';
  readonly portal: string;
  readonly statement: string;
  /** None (all text), one (for all), or one a parameter. */
  readonly parameterFormats: readonly Format[];
  /** Views; `null` is SQL NULL. */
  readonly parameters: readonly (Uint8Array | null)[];
  /** None (all text), one (for all), or one a column. */
  readonly resultFormats: readonly Format[];
}

export interface FunctionCall {
  readonly kind: 'FunctionCall';
  readonly functionOid: number;
  readonly argumentFormats: readonly Format[];
  readonly arguments: readonly (Uint8Array | null)[];
  readonly resultFormat: Format;
}

/** SASLInitialResponse, one of the messages under tag `p`. */
export interface SASLInitialResponse {
  readonly kind: 'SASLInitialResponse';
  readonly mechanism: string;
  /** `undefined` where the client sent no initial response (length -1). */
  readonly response: Uint8Array | undefined;
}

/** Every tagged message of a server but DataRow, which is walked in place (`decode-row.ts`). */
export type ServerMessage =
  | AuthenticationRequest
  | { readonly kind: 'BackendKeyData'; readonly processId: number; readonly secretKey: Uint8Array }
  | { readonly kind: 'BindComplete' }
  | { readonly kind: 'CloseComplete' }
  | { readonly kind: 'CommandComplete'; readonly tag: string }
  | CopyResponse
  | { readonly kind: 'CopyData'; readonly data: Uint8Array }
  | { readonly kind: 'CopyDone' }
  | { readonly kind: 'EmptyQueryResponse' }
  | { readonly kind: 'ErrorResponse'; readonly fields: ReadonlyMap<string, string> }
  /** `value`: `null` is SQL NULL. */
  | { readonly kind: 'FunctionCallResponse'; readonly value: Uint8Array | null }
  | NegotiateProtocolVersion
  | { readonly kind: 'NoData' }
  | { readonly kind: 'NoticeResponse'; readonly fields: ReadonlyMap<string, string> }
  | { readonly kind: 'NotificationResponse'; readonly processId: number; readonly channel: string; readonly payload: string }
  | { readonly kind: 'ParameterDescription'; readonly types: readonly number[] }
  | { readonly kind: 'ParameterStatus'; readonly name: string; readonly value: string }
  | { readonly kind: 'ParseComplete' }
  | { readonly kind: 'PortalSuspended' }
  | { readonly kind: 'ReadyForQuery'; readonly status: TransactionStatus }
  | { readonly kind: 'RowDescription'; readonly fields: readonly FieldDescription[] };

/** The messages under tag `R`. */
export type AuthenticationRequest =
  | { readonly kind: 'AuthenticationOk' }
  | { readonly kind: 'AuthenticationKerberosV5' }
  | { readonly kind: 'AuthenticationCleartextPassword' }
  /** `salt`: 4 bytes. */
  | { readonly kind: 'AuthenticationMD5Password'; readonly salt: Uint8Array }
  | { readonly kind: 'AuthenticationGSS' }
  | { readonly kind: 'AuthenticationGSSContinue'; readonly data: Uint8Array }
  | { readonly kind: 'AuthenticationSSPI' }
  /** In the server's order of preference. */
  | { readonly kind: 'AuthenticationSASL'; readonly mechanisms: readonly string[] }
  | { readonly kind: 'AuthenticationSASLContinue'; readonly data: Uint8Array }
  | { readonly kind: 'AuthenticationSASLFinal'; readonly data: Uint8Array };

export interface CopyResponse {
  readonly kind: 'CopyInResponse' | 'CopyOutResponse' | 'CopyBothResponse';
  /** Of the whole copy; where it is text, so is each column. */
  readonly format: Format;
  readonly columnFormats: readonly Format[];
}

export interface NegotiateProtocolVersion {
  readonly kind: 'NegotiateProtocolVersion';
  /** Newest version that the server will speak. */
  readonly major: number;
  readonly minor: number;
  /** `_pq_.` options that the server did not know. */
  readonly unsupportedOptions: readonly string[];
}

export interface FieldDescription {
  readonly name: string;
  /** 0 where the column is not simply one of a table. */
  readonly tableOid: number;
  /** Attribute number in that table; 0 where there is none, negative for system columns. */
  readonly column: number;
  readonly typeOid: number;
  /** `pg_type.typlen`: negative for variable width. */
  readonly typeSize: number;
  /** `pg_attribute.atttypmod`. */
  readonly typeModifier: number;
  readonly format: Format;
}

import { CLIENT_TAG, SERVER_TAG, STARTUP_CODE } from './messages.ts';
import type { Bind, CancelRequest, FieldDescription, Format, NameSpace, Parse, StartupParameter, TransactionStatus } from './messages.ts';
import { message, packet } from './writer.ts';
import type { BodyWriter } from './writer.ts';

/**
 * Builds the messages that the gateway itself sends, to either side, whole with tag and length. A NUL in a text field is `internal`:
 * callers clean what is not theirs. The PostgreSQL manual's "Message Formats" gives every layout.
 */

// To the client.

export function authenticationOk(): Uint8Array {
  return message(SERVER_TAG.Authentication, (writer) => writer.int32(0));
}

export function authenticationCleartextPassword(): Uint8Array {
  return message(SERVER_TAG.Authentication, (writer) => writer.int32(3));
}

export function authenticationSASL(mechanisms: readonly string[]): Uint8Array {
  return message(SERVER_TAG.Authentication, (writer) => {
    writer.int32(10);
    for (const mechanism of mechanisms) writer.string(mechanism);
    writer.byte(0);
  });
}

export function authenticationSASLContinue(data: Uint8Array): Uint8Array {
  return message(SERVER_TAG.Authentication, (writer) => {
    writer.int32(11);
    writer.bytes(data);
  });
}

export function authenticationSASLFinal(data: Uint8Array): Uint8Array {
  return message(SERVER_TAG.Authentication, (writer) => {
    writer.int32(12);
    writer.bytes(data);
  });
}

export function backendKeyData(processId: number, secretKey: Uint8Array): Uint8Array {
  return message(SERVER_TAG.BackendKeyData, (writer) => {
    writer.int32(processId);
    writer.bytes(secretKey);
  });
}

export function parameterStatus(name: string, value: string): Uint8Array {
  return message(SERVER_TAG.ParameterStatus, (writer) => {
    writer.string(name);
    writer.string(value);
  });
}

export function readyForQuery(status: TransactionStatus): Uint8Array {
  return message(SERVER_TAG.ReadyForQuery, (writer) => writer.byte(status.charCodeAt(0)));
}

/** `fields`: by code, in the order to send; `fault.ts` makes them. */
export function errorResponse(fields: ReadonlyMap<string, string>): Uint8Array {
  return message(SERVER_TAG.ErrorResponse, (writer) => reportFields(writer, fields));
}

export function noticeResponse(fields: ReadonlyMap<string, string>): Uint8Array {
  return message(SERVER_TAG.NoticeResponse, (writer) => reportFields(writer, fields));
}

export function notificationResponse(processId: number, channel: string, payload: string): Uint8Array {
  return message(SERVER_TAG.NotificationResponse, (writer) => {
    writer.int32(processId);
    writer.string(channel);
    writer.string(payload);
  });
}

/** The version is sent whole (3 in the high half), as servers do and libpq expects; the manual speaks of the minor version alone. */
export function negotiateProtocolVersion(minor: number, unsupportedOptions: readonly string[]): Uint8Array {
  return message(SERVER_TAG.NegotiateProtocolVersion, (writer) => {
    writer.int32(STARTUP_CODE.Protocol30 + minor);
    writer.int32(unsupportedOptions.length);
    for (const option of unsupportedOptions) writer.string(option);
  });
}

export function rowDescription(fields: readonly FieldDescription[]): Uint8Array {
  return message(SERVER_TAG.RowDescription, (writer) => {
    writer.count(fields.length);
    for (const field of fields) {
      writer.string(field.name);
      writer.int32(field.tableOid);
      writer.int16(field.column);
      writer.int32(field.typeOid);
      writer.int16(field.typeSize);
      writer.int32(field.typeModifier);
      writer.int16(field.format);
    }
  });
}

/** `null` is SQL NULL. */
export function dataRow(cells: readonly (Uint8Array | null)[]): Uint8Array {
  return message(SERVER_TAG.DataRow, (writer) => writer.values(cells));
}

export function commandComplete(tag: string): Uint8Array {
  return message(SERVER_TAG.CommandComplete, (writer) => writer.string(tag));
}

export function parameterDescription(types: readonly number[]): Uint8Array {
  return message(SERVER_TAG.ParameterDescription, (writer) => {
    writer.count(types.length);
    for (const type of types) writer.int32(type);
  });
}

export function copyResponse(
  kind: 'CopyInResponse' | 'CopyOutResponse' | 'CopyBothResponse',
  format: Format,
  columnFormats: readonly Format[],
): Uint8Array {
  return message(SERVER_TAG[kind], (writer) => {
    writer.byte(format);
    writer.formats(columnFormats);
  });
}

/** The server's messages that have no body. */
export function emptyServerMessage(
  kind: 'BindComplete' | 'CloseComplete' | 'CopyDone' | 'EmptyQueryResponse' | 'NoData' | 'ParseComplete' | 'PortalSuspended',
): Uint8Array {
  return message(SERVER_TAG[kind], () => undefined);
}

// To either side.

/** CopyData has the same tag both ways. */
export function copyData(data: Uint8Array): Uint8Array {
  return message(SERVER_TAG.CopyData, (writer) => writer.bytes(data));
}

// To the upstream.

/** `minor`: 0 or 2. */
export function startupMessage(minor: number, parameters: readonly StartupParameter[]): Uint8Array {
  return packet((writer) => {
    writer.int32(STARTUP_CODE.Protocol30 + minor);
    for (const { name, value } of parameters) {
      writer.string(name);
      writer.string(value);
    }
    writer.byte(0);
  });
}

export function sslRequest(): Uint8Array {
  return packet((writer) => writer.int32(STARTUP_CODE.SSLRequest));
}

export function cancelRequest(request: Omit<CancelRequest, 'kind'>): Uint8Array {
  return packet((writer) => {
    writer.int32(STARTUP_CODE.CancelRequest);
    writer.int32(request.processId);
    writer.bytes(request.secretKey);
  });
}

export function passwordMessage(password: string): Uint8Array {
  return message(CLIENT_TAG.AuthenticationResponse, (writer) => writer.string(password));
}

export function saslInitialResponse(mechanism: string, response: Uint8Array | undefined): Uint8Array {
  return message(CLIENT_TAG.AuthenticationResponse, (writer) => {
    writer.string(mechanism);
    writer.value(response ?? null);
  });
}

export function saslResponse(data: Uint8Array): Uint8Array {
  return message(CLIENT_TAG.AuthenticationResponse, (writer) => writer.bytes(data));
}

export function query(text: string): Uint8Array {
  return message(CLIENT_TAG.Query, (writer) => writer.string(text));
}

export function parse(statement: Omit<Parse, 'kind'>): Uint8Array {
  return message(CLIENT_TAG.Parse, (writer) => {
    writer.string(statement.name);
    writer.string(statement.query);
    writer.count(statement.parameterTypes.length);
    for (const type of statement.parameterTypes) writer.int32(type);
  });
}

export function bind(binding: Omit<Bind, 'kind'>): Uint8Array {
  return message(CLIENT_TAG.Bind, (writer) => {
    writer.string(binding.portal);
    writer.string(binding.statement);
    writer.formats(binding.parameterFormats);
    writer.values(binding.parameters);
    writer.formats(binding.resultFormats);
  });
}

export function describe(what: NameSpace, name: string): Uint8Array {
  return named(CLIENT_TAG.Describe, what, name);
}

export function close(what: NameSpace, name: string): Uint8Array {
  return named(CLIENT_TAG.Close, what, name);
}

/** `maxRows`: 0 asks for all rows. */
export function execute(portal: string, maxRows: number): Uint8Array {
  return message(CLIENT_TAG.Execute, (writer) => {
    writer.string(portal);
    writer.int32(maxRows);
  });
}

export function copyFail(reason: string): Uint8Array {
  return message(CLIENT_TAG.CopyFail, (writer) => writer.string(reason));
}

/** The client's messages that have no body. */
export function emptyClientMessage(kind: 'CopyDone' | 'Flush' | 'Sync' | 'Terminate'): Uint8Array {
  return message(CLIENT_TAG[kind], () => undefined);
}

function named(tag: number, what: NameSpace, name: string): Uint8Array {
  return message(tag, (writer) => {
    writer.byte(what.charCodeAt(0));
    writer.string(name);
  });
}

function reportFields(writer: BodyWriter, fields: ReadonlyMap<string, string>): void {
  for (const [code, text] of fields) {
    writer.byte(code.charCodeAt(0));
    writer.string(text);
  }
  writer.byte(0);
}

import { GatewayFault } from '../../core/fault.ts';
import { cancelKey } from './decode-startup.ts';
import { SERVER_TAG } from './messages.ts';
import type { AuthenticationRequest, CopyResponse, FieldDescription, NegotiateProtocolVersion, ServerMessage } from './messages.ts';
import type { TransactionStatus } from './messages.ts';
import { BodyReader } from './reader.ts';

/**
 * Decodes a tagged message of a server, whose body lies in `bytes` from `start` up to `end`; DataRow is walked in place instead
 * (`decode-row.ts`). Byte fields are views of `bytes`. Faults: `protocol-violation`.
 */
export function decodeServer(tag: number, bytes: Uint8Array, start = 0, end: number = bytes.length): ServerMessage {
  const plain = start === end ? EMPTY.get(tag) : undefined;
  if (plain !== undefined) return plain;
  switch (tag) {
    case SERVER_TAG.Authentication:
      return only(new BodyReader(bytes, 'Authentication message', start, end), authentication);
    case SERVER_TAG.BackendKeyData:
      return only(new BodyReader(bytes, 'BackendKeyData', start, end), (reader) => ({
        kind: 'BackendKeyData',
        processId: reader.int32('process id'),
        secretKey: cancelKey(reader),
      }));
    case SERVER_TAG.BindComplete:
      return only(new BodyReader(bytes, 'BindComplete', start, end), () => ({ kind: 'BindComplete' }));
    case SERVER_TAG.CloseComplete:
      return only(new BodyReader(bytes, 'CloseComplete', start, end), () => ({ kind: 'CloseComplete' }));
    case SERVER_TAG.CommandComplete:
      return only(new BodyReader(bytes, 'CommandComplete', start, end), (reader) => ({
        kind: 'CommandComplete',
        tag: reader.string('tag'),
      }));
    case SERVER_TAG.CopyInResponse:
      return only(new BodyReader(bytes, 'CopyInResponse', start, end), (reader) => copyResponse('CopyInResponse', reader));
    case SERVER_TAG.CopyOutResponse:
      return only(new BodyReader(bytes, 'CopyOutResponse', start, end), (reader) => copyResponse('CopyOutResponse', reader));
    case SERVER_TAG.CopyBothResponse:
      return only(new BodyReader(bytes, 'CopyBothResponse', start, end), (reader) => copyResponse('CopyBothResponse', reader));
    case SERVER_TAG.CopyData:
      return { kind: 'CopyData', data: bytes.subarray(start, end) };
    case SERVER_TAG.CopyDone:
      return only(new BodyReader(bytes, 'CopyDone', start, end), () => ({ kind: 'CopyDone' }));
    case SERVER_TAG.EmptyQueryResponse:
      return only(new BodyReader(bytes, 'EmptyQueryResponse', start, end), () => ({ kind: 'EmptyQueryResponse' }));
    case SERVER_TAG.ErrorResponse:
      return only(new BodyReader(bytes, 'ErrorResponse', start, end), (reader) => ({
        kind: 'ErrorResponse',
        fields: reportFields(reader),
      }));
    case SERVER_TAG.NoticeResponse:
      return only(new BodyReader(bytes, 'NoticeResponse', start, end), (reader) => ({
        kind: 'NoticeResponse',
        fields: reportFields(reader),
      }));
    case SERVER_TAG.FunctionCallResponse:
      return only(new BodyReader(bytes, 'FunctionCallResponse', start, end), (reader) => ({
        kind: 'FunctionCallResponse',
        value: reader.value('value'),
      }));
    case SERVER_TAG.NegotiateProtocolVersion:
      return only(new BodyReader(bytes, 'NegotiateProtocolVersion', start, end), negotiateProtocolVersion);
    case SERVER_TAG.NoData:
      return only(new BodyReader(bytes, 'NoData', start, end), () => ({ kind: 'NoData' }));
    case SERVER_TAG.NotificationResponse:
      return only(new BodyReader(bytes, 'NotificationResponse', start, end), (reader) => ({
        kind: 'NotificationResponse',
        processId: reader.int32('process id'),
        channel: reader.string('channel'),
        payload: reader.string('payload'),
      }));
    case SERVER_TAG.ParameterDescription:
      return only(new BodyReader(bytes, 'ParameterDescription', start, end), (reader) => ({
        kind: 'ParameterDescription',
        types: reader.list('types', 4, () => reader.uint32('types')),
      }));
    case SERVER_TAG.ParameterStatus:
      return only(new BodyReader(bytes, 'ParameterStatus', start, end), (reader) => ({
        kind: 'ParameterStatus',
        name: reader.string('name'),
        value: reader.string('value'),
      }));
    case SERVER_TAG.ParseComplete:
      return only(new BodyReader(bytes, 'ParseComplete', start, end), () => ({ kind: 'ParseComplete' }));
    case SERVER_TAG.PortalSuspended:
      return only(new BodyReader(bytes, 'PortalSuspended', start, end), () => ({ kind: 'PortalSuspended' }));
    case SERVER_TAG.ReadyForQuery:
      return only(new BodyReader(bytes, 'ReadyForQuery', start, end), (reader) => ({
        kind: 'ReadyForQuery',
        status: transactionStatus(reader),
      }));
    case SERVER_TAG.RowDescription:
      return only(new BodyReader(bytes, 'RowDescription', start, end), (reader) => ({
        kind: 'RowDescription',
        fields: reader.list('fields', FIELD_MIN_BYTES, () => fieldDescription(reader)),
      }));
    default:
      throw new GatewayFault('protocol-violation', { publicMessage: `unknown server message type ${tag}` });
  }
}

/**
 * Rows that a CommandComplete tag counts ("Message Formats", CommandComplete): the last word of `INSERT 0 5`, `SELECT 5`, `COPY 5` …;
 * 0 where the command counts none.
 */
export function rowsOf(tag: string): number {
  const words = tag.split(' ');
  const count = words[words.length - 1] ?? '';
  if (words.length < 2 || !COUNTING_COMMANDS.has(words[0] ?? '') || !/^[0-9]{1,15}$/.test(count)) return 0;
  return Number(count);
}

/** Runs a decoder that must read its body to the end. */
function only(reader: BodyReader, decode: (reader: BodyReader) => ServerMessage): ServerMessage {
  const message = decode(reader);
  reader.finish();
  return message;
}

function authentication(reader: BodyReader): AuthenticationRequest {
  const code = reader.int32('kind');
  switch (code) {
    case 0:
      return { kind: 'AuthenticationOk' };
    case 2:
      return { kind: 'AuthenticationKerberosV5' };
    case 3:
      return { kind: 'AuthenticationCleartextPassword' };
    case 5:
      return { kind: 'AuthenticationMD5Password', salt: reader.bytes(4, 'salt') };
    case 7:
      return { kind: 'AuthenticationGSS' };
    case 8:
      return { kind: 'AuthenticationGSSContinue', data: reader.rest() };
    case 9:
      return { kind: 'AuthenticationSSPI' };
    case 10:
      return { kind: 'AuthenticationSASL', mechanisms: strings(reader, 'mechanism') };
    case 11:
      return { kind: 'AuthenticationSASLContinue', data: reader.rest() };
    case 12:
      return { kind: 'AuthenticationSASLFinal', data: reader.rest() };
    default:
      throw reader.violation('kind', `${code} is unknown`);
  }
}

function copyResponse(kind: CopyResponse['kind'], reader: BodyReader): CopyResponse {
  const format = reader.byte('format');
  if (format !== 0 && format !== 1) throw reader.violation('format', `${format} is unknown`);
  return { kind, format, columnFormats: reader.formats('column formats') };
}

function negotiateProtocolVersion(reader: BodyReader): NegotiateProtocolVersion {
  // The manual speaks of the minor version alone; servers send, and libpq expects, the whole version number.
  const version = reader.uint32('version');
  const count = reader.uint32('option count');
  if (count > reader.remaining) throw reader.violation('option count', `announces ${count} options in ${reader.remaining} bytes`);
  const unsupportedOptions: string[] = [];
  for (let index = 0; index < count; index += 1) unsupportedOptions.push(reader.string('option'));
  return { kind: 'NegotiateProtocolVersion', major: version >>> 16 || 3, minor: version & 0xffff, unsupportedOptions };
}

/** ErrorResponse and NoticeResponse: a field code byte and a string each, closed by a zero byte ("Error and Notice Message Fields"). */
function reportFields(reader: BodyReader): Map<string, string> {
  const fields = new Map<string, string>();
  for (;;) {
    const code = reader.byte('field code');
    if (code === 0) return fields;
    const name = String.fromCharCode(code);
    if (fields.has(name)) throw reader.violation('field', `${JSON.stringify(name)} is given twice`);
    fields.set(name, reader.string('field'));
  }
}

/** Strings up to an empty one. */
function strings(reader: BodyReader, field: string): string[] {
  const found: string[] = [];
  for (;;) {
    const text = reader.string(field);
    if (text === '') return found;
    found.push(text);
  }
}

function transactionStatus(reader: BodyReader): TransactionStatus {
  const status = String.fromCharCode(reader.byte('status'));
  if (status === 'I' || status === 'T' || status === 'E') return status;
  throw reader.violation('status', `is ${JSON.stringify(status)}`);
}

function fieldDescription(reader: BodyReader): FieldDescription {
  return {
    name: reader.string('field name'),
    tableOid: reader.uint32('table'),
    column: reader.int16('column'),
    typeOid: reader.uint32('type'),
    typeSize: reader.int16('type size'),
    typeModifier: reader.int32('type modifier'),
    format: reader.format('format'),
  };
}

/** Messages without a body: the answers that come most often. */
const EMPTY: ReadonlyMap<number, ServerMessage> = new Map<number, ServerMessage>([
  [SERVER_TAG.BindComplete, { kind: 'BindComplete' }],
  [SERVER_TAG.CloseComplete, { kind: 'CloseComplete' }],
  [SERVER_TAG.CopyDone, { kind: 'CopyDone' }],
  [SERVER_TAG.EmptyQueryResponse, { kind: 'EmptyQueryResponse' }],
  [SERVER_TAG.NoData, { kind: 'NoData' }],
  [SERVER_TAG.ParseComplete, { kind: 'ParseComplete' }],
  [SERVER_TAG.PortalSuspended, { kind: 'PortalSuspended' }],
]);
/** An empty name and the fixed part. */
const FIELD_MIN_BYTES = 19;
/** `COPY` counts since 8.2, `MERGE` since 15. */
const COUNTING_COMMANDS: ReadonlySet<string> = new Set(['INSERT', 'DELETE', 'UPDATE', 'MERGE', 'SELECT', 'MOVE', 'FETCH', 'COPY']);

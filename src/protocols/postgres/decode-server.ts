import { GatewayFault } from '../../core/fault.ts';
import { cancelKey } from './decode-startup.ts';
import { SERVER_TAG } from './messages.ts';
import type { AuthenticationRequest, CopyResponse, FieldDescription, NegotiateProtocolVersion, ServerMessage } from './messages.ts';
import type { TransactionStatus } from './messages.ts';
import { BodyReader } from './reader.ts';

/**
 * Decodes a tagged message of a server, given without tag and length; DataRow is walked in place instead (`decode-row.ts`). Byte
 * fields are views of `body`. Faults: `protocol-violation`.
 */
export function decodeServer(tag: number, body: Uint8Array): ServerMessage {
  switch (tag) {
    case SERVER_TAG.Authentication:
      return only(new BodyReader(body, 'Authentication message'), authentication);
    case SERVER_TAG.BackendKeyData:
      return only(new BodyReader(body, 'BackendKeyData'), (reader) => ({
        kind: 'BackendKeyData',
        processId: reader.int32('process id'),
        secretKey: cancelKey(reader),
      }));
    case SERVER_TAG.BindComplete:
      return only(new BodyReader(body, 'BindComplete'), () => ({ kind: 'BindComplete' }));
    case SERVER_TAG.CloseComplete:
      return only(new BodyReader(body, 'CloseComplete'), () => ({ kind: 'CloseComplete' }));
    case SERVER_TAG.CommandComplete:
      return only(new BodyReader(body, 'CommandComplete'), (reader) => ({ kind: 'CommandComplete', tag: reader.string('tag') }));
    case SERVER_TAG.CopyInResponse:
      return only(new BodyReader(body, 'CopyInResponse'), (reader) => copyResponse('CopyInResponse', reader));
    case SERVER_TAG.CopyOutResponse:
      return only(new BodyReader(body, 'CopyOutResponse'), (reader) => copyResponse('CopyOutResponse', reader));
    case SERVER_TAG.CopyBothResponse:
      return only(new BodyReader(body, 'CopyBothResponse'), (reader) => copyResponse('CopyBothResponse', reader));
    case SERVER_TAG.CopyData:
      return { kind: 'CopyData', data: body };
    case SERVER_TAG.CopyDone:
      return only(new BodyReader(body, 'CopyDone'), () => ({ kind: 'CopyDone' }));
    case SERVER_TAG.EmptyQueryResponse:
      return only(new BodyReader(body, 'EmptyQueryResponse'), () => ({ kind: 'EmptyQueryResponse' }));
    case SERVER_TAG.ErrorResponse:
      return only(new BodyReader(body, 'ErrorResponse'), (reader) => ({ kind: 'ErrorResponse', fields: reportFields(reader) }));
    case SERVER_TAG.NoticeResponse:
      return only(new BodyReader(body, 'NoticeResponse'), (reader) => ({ kind: 'NoticeResponse', fields: reportFields(reader) }));
    case SERVER_TAG.FunctionCallResponse:
      return only(new BodyReader(body, 'FunctionCallResponse'), (reader) => ({
        kind: 'FunctionCallResponse',
        value: reader.value('value'),
      }));
    case SERVER_TAG.NegotiateProtocolVersion:
      return only(new BodyReader(body, 'NegotiateProtocolVersion'), negotiateProtocolVersion);
    case SERVER_TAG.NoData:
      return only(new BodyReader(body, 'NoData'), () => ({ kind: 'NoData' }));
    case SERVER_TAG.NotificationResponse:
      return only(new BodyReader(body, 'NotificationResponse'), (reader) => ({
        kind: 'NotificationResponse',
        processId: reader.int32('process id'),
        channel: reader.string('channel'),
        payload: reader.string('payload'),
      }));
    case SERVER_TAG.ParameterDescription:
      return only(new BodyReader(body, 'ParameterDescription'), (reader) => ({
        kind: 'ParameterDescription',
        types: reader.list('types', 4, () => reader.uint32('types')),
      }));
    case SERVER_TAG.ParameterStatus:
      return only(new BodyReader(body, 'ParameterStatus'), (reader) => ({
        kind: 'ParameterStatus',
        name: reader.string('name'),
        value: reader.string('value'),
      }));
    case SERVER_TAG.ParseComplete:
      return only(new BodyReader(body, 'ParseComplete'), () => ({ kind: 'ParseComplete' }));
    case SERVER_TAG.PortalSuspended:
      return only(new BodyReader(body, 'PortalSuspended'), () => ({ kind: 'PortalSuspended' }));
    case SERVER_TAG.ReadyForQuery:
      return only(new BodyReader(body, 'ReadyForQuery'), (reader) => ({ kind: 'ReadyForQuery', status: transactionStatus(reader) }));
    case SERVER_TAG.RowDescription:
      return only(new BodyReader(body, 'RowDescription'), (reader) => ({
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

/** An empty name and the fixed part. */
const FIELD_MIN_BYTES = 19;
/** `COPY` counts since 8.2, `MERGE` since 15. */
const COUNTING_COMMANDS: ReadonlySet<string> = new Set(['INSERT', 'DELETE', 'UPDATE', 'MERGE', 'SELECT', 'MOVE', 'FETCH', 'COPY']);

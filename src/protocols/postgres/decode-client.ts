import { GatewayFault } from '../../core/fault.ts';
import { CLIENT_TAG } from './messages.ts';
import type { Bind, ClientMessage, FunctionCall, NameSpace, Parse } from './messages.ts';
import { BodyReader } from './reader.ts';

/**
 * Decodes a tagged message of a client, whose body lies in `bytes` from `start` up to `end`. Messages under tag `p` are not among them:
 * their meaning depends on the state, which calls `decodePassword` or `decodeSASLInitialResponse`. Byte fields are views of `bytes`.
 * Faults: `protocol-violation`.
 */
export function decodeClient(tag: number, bytes: Uint8Array, start = 0, end: number = bytes.length): ClientMessage {
  switch (tag) {
    case CLIENT_TAG.Query:
      return only(new BodyReader(bytes, 'Query', start, end), (reader) => ({ kind: 'Query', query: reader.string('query') }));
    case CLIENT_TAG.Parse:
      return only(new BodyReader(bytes, 'Parse', start, end), parse);
    case CLIENT_TAG.Bind:
      return only(new BodyReader(bytes, 'Bind', start, end), bind);
    case CLIENT_TAG.Describe:
      return only(new BodyReader(bytes, 'Describe', start, end), (reader) => ({
        kind: 'Describe',
        what: nameSpace(reader),
        name: reader.string('name'),
      }));
    case CLIENT_TAG.Close:
      return only(new BodyReader(bytes, 'Close', start, end), (reader) => ({
        kind: 'Close',
        what: nameSpace(reader),
        name: reader.string('name'),
      }));
    case CLIENT_TAG.Execute:
      return only(new BodyReader(bytes, 'Execute', start, end), (reader) => ({
        kind: 'Execute',
        portal: reader.string('portal'),
        maxRows: reader.int32('row limit'),
      }));
    case CLIENT_TAG.CopyData:
      return { kind: 'CopyData', data: bytes.subarray(start, end) };
    case CLIENT_TAG.CopyDone:
      return only(new BodyReader(bytes, 'CopyDone', start, end), () => ({ kind: 'CopyDone' }));
    case CLIENT_TAG.CopyFail:
      return only(new BodyReader(bytes, 'CopyFail', start, end), (reader) => ({ kind: 'CopyFail', reason: reader.string('reason') }));
    case CLIENT_TAG.Flush:
      return only(new BodyReader(bytes, 'Flush', start, end), () => ({ kind: 'Flush' }));
    case CLIENT_TAG.Sync:
      return only(new BodyReader(bytes, 'Sync', start, end), () => ({ kind: 'Sync' }));
    case CLIENT_TAG.Terminate:
      return only(new BodyReader(bytes, 'Terminate', start, end), () => ({ kind: 'Terminate' }));
    case CLIENT_TAG.FunctionCall:
      return only(new BodyReader(bytes, 'FunctionCall', start, end), functionCall);
    default:
      throw new GatewayFault('protocol-violation', { publicMessage: `unknown client message type ${tag}` });
  }
}

/** Runs a decoder that must read its body to the end. */
function only(reader: BodyReader, decode: (reader: BodyReader) => ClientMessage): ClientMessage {
  const message = decode(reader);
  reader.finish();
  return message;
}

function parse(reader: BodyReader): Parse {
  const name = reader.string('name');
  const query = reader.string('query');
  const parameterTypes = reader.list('parameter types', 4, () => reader.uint32('parameter types'));
  return { kind: 'Parse', name, query, parameterTypes };
}

function bind(reader: BodyReader): Bind {
  const portal = reader.string('portal');
  const statement = reader.string('statement');
  const parameterFormats = reader.formats('parameter formats');
  const parameters = reader.list('parameters', 4, () => reader.value('parameters'));
  formatsFit(reader, parameterFormats.length, parameters.length);
  const resultFormats = reader.formats('result formats');
  return { kind: 'Bind', portal, statement, parameterFormats, parameters, resultFormats };
}

function functionCall(reader: BodyReader): FunctionCall {
  const functionOid = reader.uint32('function');
  const argumentFormats = reader.formats('argument formats');
  const args = reader.list('arguments', 4, () => reader.value('arguments'));
  formatsFit(reader, argumentFormats.length, args.length);
  const resultFormat = reader.format('result format');
  return { kind: 'FunctionCall', functionOid, argumentFormats, arguments: args, resultFormat };
}

/** None, one for all, or one each: the server refuses anything else, too. */
function formatsFit(reader: BodyReader, formats: number, values: number): void {
  if (formats > 1 && formats !== values) throw reader.violation('formats', `are ${formats} for ${values} values`);
}

function nameSpace(reader: BodyReader): NameSpace {
  const what = reader.byte('object kind');
  if (what === 0x53) return 'S';
  if (what === 0x50) return 'P';
  throw reader.violation('object kind', `is ${what}, neither S nor P`);
}

import { decodeServer } from '../decode.ts';
import { createFramer, tagTable } from '../frame.ts';
import { SERVER_TAG, type ServerMessage } from '../messages.ts';

/**
 * What a client received, one short word a message: `RowDescription(id)`, `DataRow(1)`, `Error(42501 …)`, `Ready(I)`. Throws where the bytes are
 * no well-formed stream of whole messages.
 */
export function transcript(chunks: readonly Uint8Array[]): string[] {
  const framer = createFramer();
  const words: string[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    while (framer.next(everything) !== undefined) {
      const body = framer.body();
      words.push(framer.tag === SERVER_TAG.DataRow ? `DataRow(${cells(body).join(',')})` : word(decodeServer(framer.tag, body)));
    }
  }
  if (framer.unreadBytes > 0) throw new Error(`a message is cut short: ${framer.unreadBytes} bytes`);
  return words;
}

function word(message: ServerMessage): string {
  switch (message.kind) {
    case 'ErrorResponse':
      return `Error(${message.fields.get('C')})`;
    case 'NoticeResponse':
      return `Notice(${message.fields.get('M')})`;
    case 'ReadyForQuery':
      return `Ready(${message.status})`;
    case 'CommandComplete':
      return `Complete(${message.tag})`;
    case 'RowDescription':
      return `RowDescription(${message.fields.map((field) => field.name).join(',')})`;
    case 'CopyData':
      return `CopyData(${decoder.decode(message.data).trimEnd()})`;
    case 'ParameterStatus':
      return `ParameterStatus(${message.name}=${message.value})`;
    case 'NotificationResponse':
      return `Notification(${message.channel},${message.payload})`;
    default:
      return message.kind;
  }
}

function cells(body: Uint8Array): string[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const found: string[] = [];
  let at = 2;
  for (let left = view.getUint16(0); left > 0; left -= 1) {
    const length = view.getInt32(at);
    at += 4;
    found.push(length < 0 ? 'NULL' : decoder.decode(body.subarray(at, at + length)));
    at += Math.max(length, 0);
  }
  if (at !== body.length) throw new Error('a row does not end where it should');
  return found;
}

const decoder = new TextDecoder();
const everything = tagTable({
  expecting: 'a server message',
  open: Object.values(SERVER_TAG).map((tag) => [tag, 0x3fff_ffff] as const),
});

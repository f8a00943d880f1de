import type { Duplex } from 'node:stream';
import type pg from 'pg';
import { createRowCells, walkDataRow } from '../protocols/postgres/decode-row.ts';
import { decodeServer } from '../protocols/postgres/decode.ts';
import { createFramer, tagTable } from '../protocols/postgres/frame.ts';
import { HEADER_BYTES, LIMIT_BYTES, SERVER_TAG } from '../protocols/postgres/messages.ts';

/**
 * Makes a malformed message of the server end this client alone. node-postgres reads on behind the end of a message that is cut short, for ever
 * where it is an error, and it decodes in the socket's listener, where an exception would be nobody's and take the whole process along. So each
 * message is decoded by the gateway's own decoder first, and goes on only when it is sound. Call it before `connect`.
 */
export function containDefects(client: pg.Client): void {
  const connection = client.connection as unknown as { attachListeners(stream: Duplex): void };
  const attach = connection.attachListeners.bind(connection);
  connection.attachListeners = (stream) => {
    attach(stream);
    for (const decode of stream.listeners('data') as ((chunk: Buffer) => void)[]) {
      stream.off('data', decode);
      const check = soundMessages(decode);
      stream.on('data', (chunk: Buffer) => {
        if (stream.destroyed) return;
        try {
          check(chunk);
        } catch (error) {
          stream.destroy(new Error('the server sent a message that cannot be read', { cause: error }));
        }
      });
    }
  };
}

/** Takes chunks and gives `decode` whole messages. Throws at the first one that is malformed. */
function soundMessages(decode: (message: Buffer) => void): (chunk: Buffer) => void {
  const framer = createFramer();
  const cells = createRowCells();
  return (chunk) => {
    framer.push(chunk);
    while (framer.next(anyAnswer) !== undefined) {
      const { tag, bytes, start, end } = framer;
      if (tag === SERVER_TAG.DataRow) walkDataRow(bytes, start, end, cells);
      else decodeServer(tag, bytes, start + HEADER_BYTES, end);
      decode(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start));
    }
  };
}

const anyAnswer = tagTable({
  expecting: 'an answer',
  open: Object.values(SERVER_TAG).map(
    (tag) => [tag, tag === SERVER_TAG.DataRow ? LIMIT_BYTES.openedRow : LIMIT_BYTES.serverOpened] as const,
  ),
});

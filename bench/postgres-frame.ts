import { createRowCells, walkDataRow } from '../src/protocols/postgres/decode.ts';
import { commandComplete, dataRow, readyForQuery } from '../src/protocols/postgres/encode.ts';
import { createFramer, tagTable } from '../src/protocols/postgres/frame.ts';
import type { TagTable } from '../src/protocols/postgres/frame.ts';
import { LIMIT_BYTES, SERVER_TAG } from '../src/protocols/postgres/messages.ts';

/**
 * How fast the PostgreSQL framer relays a result of 200,000 rows of 124 bytes that comes in chunks, best of five runs, in MB/s:
 * as runs, as runs behind a per-chunk copy (what a socket read costs at least), opened row by row, and opened with a walk over the cells.
 *
 *     node bench/postgres-frame.ts
 */

const ROWS = 200_000;
const RUNS = 5;

function result(): Uint8Array {
  const cell = new TextEncoder().encode('x'.repeat(12));
  const row = dataRow([cell, cell, cell, cell, cell, cell, cell, new Uint8Array(5)]);
  const tail = [commandComplete(`SELECT ${ROWS}`), readyForQuery('I')];
  const bytes = new Uint8Array(ROWS * row.length + tail.reduce((sum, part) => sum + part.length, 0));
  for (let index = 0; index < ROWS; index += 1) bytes.set(row, index * row.length);
  let at = ROWS * row.length;
  for (const part of tail) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

interface Tally {
  bytes: number;
  rows: number;
  views: number;
}

function relay(bytes: Uint8Array, chunkBytes: number, table: TagTable, copy: boolean, walk: boolean): Tally {
  const framer = createFramer();
  const cells = createRowCells();
  const tally: Tally = { bytes: 0, rows: 0, views: 0 };
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = bytes.subarray(at, at + chunkBytes);
    framer.push(copy ? chunk.slice() : chunk);
    for (;;) {
      const found = framer.next(table);
      if (found === undefined) break;
      if (found === 'run') tally.rows += framer.counted;
      else if (framer.tag === SERVER_TAG.DataRow) {
        tally.rows += 1;
        if (walk) walkDataRow(framer.bytes, framer.start, framer.end, cells);
      }
      if (found === 'run' || framer.tag !== SERVER_TAG.DataRow) tally.bytes += framer.view().length;
      else tally.bytes += framer.end - framer.start;
      tally.views += 1;
    }
  }
  return tally;
}

function measure(name: string, bytes: Uint8Array, run: () => Tally): void {
  let best = Infinity;
  let tally: Tally = { bytes: 0, rows: 0, views: 0 };
  for (let count = 0; count < RUNS; count += 1) {
    const begin = performance.now();
    tally = run();
    best = Math.min(best, performance.now() - begin);
  }
  if (tally.bytes !== bytes.length || tally.rows !== ROWS) throw new Error(`${name}: ${tally.bytes} bytes, ${tally.rows} rows`);
  const rate = bytes.length / 1e6 / (best / 1e3);
  console.log(
    `${name.padEnd(44)} ${rate.toFixed(0).padStart(6)} MB/s  ${((best * 1e6) / ROWS).toFixed(1).padStart(6)} ns/row  ${tally.views} views`,
  );
}

const closing = [
  [SERVER_TAG.CommandComplete, LIMIT_BYTES.small],
  [SERVER_TAG.ReadyForQuery, LIMIT_BYTES.small],
] as const;
const untouched = tagTable({ expecting: 'a result', count: [SERVER_TAG.DataRow], open: closing });
const opened = tagTable({ expecting: 'a result', open: [...closing, [SERVER_TAG.DataRow, LIMIT_BYTES.openedRow]] });

const bytes = result();
for (const chunkBytes of [65_536, 8_192]) {
  console.log(`${(bytes.length / 1e6).toFixed(1)} MB in chunks of ${chunkBytes} bytes`);
  measure('  one view per run', bytes, () => relay(bytes, chunkBytes, untouched, false, false));
  measure('  one view per run, each chunk copied first', bytes, () => relay(bytes, chunkBytes, untouched, true, false));
  measure('  each row opened', bytes, () => relay(bytes, chunkBytes, opened, false, false));
  measure('  each row opened, cells walked', bytes, () => relay(bytes, chunkBytes, opened, false, true));
}

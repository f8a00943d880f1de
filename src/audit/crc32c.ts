/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82F63B78; RFC 3720 appendix B.4) of the bytes from `begin` to `end`, sixteen bytes a step through sixteen tables, read as
 * words: 0.5 µs for a record, where byte by byte it takes 0.85. It finds torn writes; it is no protection against people, the tree is.
 */
export function crc32c(view: DataView, begin: number, end: number): number {
  let crc = 0xffffffff;
  let at = begin;
  for (const wide = end - 16; at <= wide; at += 16) {
    crc = wordOf(12, crc ^ view.getInt32(at, true)) ^ wordOf(8, view.getInt32(at + 4, true));
    crc ^= wordOf(4, view.getInt32(at + 8, true)) ^ wordOf(0, view.getInt32(at + 12, true));
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ TABLES[(crc ^ view.getUint8(at)) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}

/** What a little-endian word adds to the CRC once `after` further bytes have come behind it. */
function wordOf(after: number, word: number): number {
  const table = after << 8;
  return (
    TABLES[table + 768 + (word & 0xff)]! ^
    TABLES[table + 512 + ((word >>> 8) & 0xff)]! ^
    TABLES[table + 256 + ((word >>> 16) & 0xff)]! ^
    TABLES[table + (word >>> 24)]!
  );
}

/** Sixteen tables of 256: table `k` advances a byte by `k` further zero bytes. */
const TABLES: Int32Array = (() => {
  const tables = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const previous = tables[at - 256]!;
    tables[at] = (previous >>> 8) ^ tables[previous & 0xff]!;
  }
  return tables;
})();

/** Every decoder of the PostgreSQL protocol, by who sends the message. All are strict, and fault only with `protocol-violation`. */
export { decodeClient } from './decode-client.ts';
export { createRowCells, walkDataRow } from './decode-row.ts';
export { decodeServer, rowsOf } from './decode-server.ts';
export { decodePassword, decodeSASLInitialResponse, decodeStartup } from './decode-startup.ts';

import { toHex } from './hex.ts';

/**
 * A value in binary format as text, for people and detectors (PostgreSQL's `*send` functions; documentation, "Formatting of Data Values").
 * Undefined for a type that is not known here or bytes that are not of it.
 */
export function decodeBinary(typeOid: number, bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fixed = SIZES.get(typeOid);
  if (fixed !== undefined && bytes.length !== fixed) return undefined;
  switch (typeOid) {
    case 16:
      return bytes[0] === 0 ? 'f' : 't';
    case 20:
      return String(view.getBigInt64(0));
    case 21:
      return String(view.getInt16(0));
    case 23:
      return String(view.getInt32(0));
    case 26:
    case 28:
      return String(view.getUint32(0));
    case 700:
      return String(view.getFloat32(0));
    case 701:
      return String(view.getFloat64(0));
    case 1082:
      return day(view.getInt32(0));
    case 1114:
    case 1184:
      return instant(view.getBigInt64(0));
    case 2950:
      return uuid(bytes);
    case 1700:
      return numeric(view);
    default:
      return undefined;
  }
}

/** Base-10,000 digits with a weight, a sign and a display scale (`numeric_send`). */
function numeric(view: DataView): string | undefined {
  if (view.byteLength < 8) return undefined;
  const count = view.getUint16(0);
  const weight = view.getInt16(2);
  const sign = view.getUint16(4);
  const scale = view.getUint16(6);
  if (view.byteLength !== 8 + count * 2 || (sign !== 0 && sign !== 0x4000) || scale > 0x3fff) return undefined;
  const group = (index: number): string => (index < 0 || index >= count ? '0000' : String(view.getUint16(8 + index * 2)).padStart(4, '0'));
  let whole = '';
  for (let index = 0; index <= weight; index++) whole += group(index);
  let fraction = '';
  for (let index = weight + 1; fraction.length < scale; index++) fraction += group(index);
  return `${sign === 0 ? '' : '-'}${whole.replace(/^0+(?=\d)/, '') || '0'}${scale === 0 ? '' : `.${fraction.slice(0, scale)}`}`;
}

/** Days since 2000-01-01. */
function day(days: number): string {
  if (days === 0x7fffffff) return 'infinity';
  if (days === -0x80000000) return '-infinity';
  return isoText(EPOCH_MS + days * 86_400_000, 10);
}

/** Microseconds since 2000-01-01T00:00Z. */
function instant(microseconds: bigint): string {
  if (microseconds === 0x7fffffffffffffffn) return 'infinity';
  if (microseconds === -0x8000000000000000n) return '-infinity';
  return isoText(EPOCH_MS + Number(microseconds / 1000n), 23).replace('T', ' ');
}

function isoText(ms: number, length: number): string {
  return Math.abs(ms) > 8.64e15 ? 'out of range' : new Date(ms).toISOString().slice(0, length);
}

function uuid(bytes: Uint8Array): string {
  const hex = toHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

const EPOCH_MS = 946_684_800_000;
const SIZES: ReadonlyMap<number, number> = new Map([
  [16, 1],
  [20, 8],
  [21, 2],
  [23, 4],
  [26, 4],
  [28, 4],
  [700, 4],
  [701, 8],
  [1082, 4],
  [1114, 8],
  [1184, 8],
  [2950, 16],
]);

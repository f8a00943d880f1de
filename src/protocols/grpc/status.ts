/** Status codes of gRPC (`statuscodes.md`), by number. */
export const statusNames = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

export type StatusName = (typeof statusNames)[number];

/** `grpc-status` as it stands in trailers; undefined for what is no code. */
export function statusOf(value: string | undefined): StatusName | undefined {
  return value !== undefined && /^(?:0|[1-9][0-9]?)$/.test(value) ? statusNames[Number(value)] : undefined;
}

export function codeOf(status: StatusName): number {
  return statusNames.indexOf(status);
}

/** What an answer over HTTP means that is none of gRPC's (`http-grpc-status-mapping.md`). */
export function statusOfHttp(status: number): StatusName {
  switch (status) {
    case 400:
      return 'INTERNAL';
    case 401:
      return 'UNAUTHENTICATED';
    case 403:
      return 'PERMISSION_DENIED';
    case 404:
      return 'UNIMPLEMENTED';
    case 429:
    case 502:
    case 503:
    case 504:
      return 'UNAVAILABLE';
    default:
      return 'UNKNOWN';
  }
}

/** `grpc-message`: UTF-8, with everything but visible ASCII (and `%`) escaped. */
export function encodeMessage(text: string): string {
  let encoded = '';
  for (const octet of encoder.encode(text)) {
    const plain = octet >= 0x20 && octet <= 0x7e && octet !== 0x25;
    encoded += plain ? String.fromCharCode(octet) : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** Never fails, as the specification asks: what is no escape stands for itself, what is no UTF-8 is replaced. */
export function decodeMessage(value: string): string {
  const octets: number[] = [];
  for (let at = 0; at < value.length; at += 1) {
    const escape = value[at] === '%' ? /^[0-9A-Fa-f]{2}/.exec(value.slice(at + 1, at + 3))?.[0] : undefined;
    octets.push(escape === undefined ? value.charCodeAt(at) & 0xff : Number.parseInt(escape, 16));
    if (escape !== undefined) at += 2;
  }
  return decoder.decode(new Uint8Array(octets));
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

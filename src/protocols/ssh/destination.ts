import { GatewayFault } from '../../core/fault.ts';

/** A host in the one spelling that policy sees and that is dialled: a name in lower case without a dot at its end, or an address in its canonical form. */
export interface Destination {
  readonly host: string;
  readonly isAddress: boolean;
}

/**
 * One spelling for each host, or a fault for what resolvers read differently: `127.1`, `0x7f000001`, `0177.0.0.1`, zones, names with other characters than letters, digits, `-` and
 * `_`. An IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4) is that IPv4 address, since there it leads.
 */
export function destinationOf(host: string): Destination | GatewayFault {
  const text = host.toLowerCase().replace(/\.$/, '');
  if (text.includes(':')) {
    const words = ipv6Words(text.replace(/^\[(.*)\]$/, '$1'));
    if (words === undefined) return unreadable();
    return { host: carriedIpv4(words) ?? ipv6Text(words), isAddress: true };
  }
  if (/(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/.test(text)) return ipv4Bytes(text) === undefined ? unreadable() : { host: text, isAddress: true };
  const isName = text.length <= 253 && text.split('.').every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
  return isName ? { host: text, isAddress: false } : unreadable();
}

/**
 * Where nothing may lead that the target's configuration does not name: the machine itself, its neighbours on the link, groups, and the services by which clouds give machines their
 * credentials. Also to be asked of every address that a name resolves to. `host`: as `destinationOf` gives it.
 */
export function isReserved(host: string): boolean {
  if (reservedNames.has(host) || host.endsWith('.localhost')) return true;
  const bytes = ipv4Bytes(host);
  if (bytes !== undefined) {
    const [a, b] = bytes as [number, number];
    return a === 0 || a === 127 || a >= 224 || (a === 169 && b === 254) || reservedNames.has(host);
  }
  if (!host.includes(':')) return false;
  const words = ipv6Words(host);
  if (words === undefined) return true;
  const first = words[0]!;
  const isLow = words.slice(0, 7).every((word) => word === 0) && words[7]! <= 1;
  return isLow || (first & 0xffc0) === 0xfe80 || (first & 0xffc0) === 0xfec0 || first >= 0xff00;
}

/** This machine's own addresses, and the name of all of them. `host`: as `destinationOf` gives it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || ipv4Bytes(host)?.[0] === 127;
}

function ipv4Bytes(text: string): readonly number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part))) return undefined;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte < 256) ? bytes : undefined;
}

function ipv6Words(text: string): readonly number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [left, right] = halves.map((half) => (half === '' ? [] : wordsOf(half.split(':')))) as [
    readonly number[] | undefined,
    readonly number[] | undefined,
  ];
  if (left === undefined) return undefined;
  if (halves.length === 1) return left.length === 8 ? left : undefined;
  if (right === undefined || left.length + right.length > 7) return undefined;
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
}

function wordsOf(parts: readonly string[]): readonly number[] | undefined {
  const words: number[] = [];
  for (const [index, part] of parts.entries()) {
    const bytes = index === parts.length - 1 && part.includes('.') ? ipv4Bytes(part) : undefined;
    if (bytes !== undefined) words.push(bytes[0]! * 256 + bytes[1]!, bytes[2]! * 256 + bytes[3]!);
    else if (/^[0-9a-f]{1,4}$/.test(part)) words.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return words;
}

/** Mapped and compatible (RFC 4291 section 2.5.5), NAT64 (RFC 6052), 6to4 (RFC 3056). */
function carriedIpv4(words: readonly number[]): string | undefined {
  const [a, b, c, d, e, f, g, h] = words as [number, number, number, number, number, number, number, number];
  const isZero = a === 0 && b === 0 && c === 0 && d === 0;
  if (isZero && e === 0 && f === 0 && g !== 0) return ipv4Text(g, h);
  if (isZero && ((e === 0 && f === 0xffff) || (e === 0xffff && f === 0))) return ipv4Text(g, h);
  if (a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0) return ipv4Text(g, h);
  return a === 0x2002 ? ipv4Text(b, c) : undefined;
}

function ipv4Text(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** RFC 5952: the longest run of zeros, the first of several, is shortened; no run of one. */
function ipv6Text(words: readonly number[]): string {
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at += 1) {
    let length = 0;
    while (words[at + length] === 0) length += 1;
    if (length > best.length) best = { at, length };
  }
  const text = (part: readonly number[]): string => part.map((word) => word.toString(16)).join(':');
  return best.at < 0 ? text(words) : `${text(words.slice(0, best.at))}::${text(words.slice(best.at + best.length))}`;
}

function unreadable(): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: 'the host of a forward is not written so that everyone reads it in the same way',
    hint: 'Write a host name, four decimal numbers, or an IPv6 address without a zone.',
  });
}

/** Names and addresses of metadata services: Google, Azure (wire server), AWS (IPv6), Alibaba, Oracle. */
const reservedNames: ReadonlySet<string> = new Set([
  'localhost',
  'ip6-localhost',
  'ip6-loopback',
  'metadata',
  'metadata.google.internal',
  'instance-data',
  'instance-data.ec2.internal',
  '168.63.129.16',
  'fd00:ec2::254',
  'fd20:ce::254',
  '100.100.100.200',
  '192.0.0.192',
]);

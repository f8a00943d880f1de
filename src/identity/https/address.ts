import { BlockList, isIPv4, isIPv6 } from 'node:net';

/**
 * Where an address leads. `private`: this machine or its own network, allowed only where the issuer is configured so. `forbidden`:
 * nothing an issuer can live at (link-local with the clouds' metadata services, multicast, documentation, unspecified).
 */
export type AddressKind = 'public' | 'loopback' | 'private' | 'forbidden';

export function classifyAddress(address: string): AddressKind {
  const embedded = embeddedIPv4(address);
  if (embedded !== undefined) return classifyAddress(embedded);
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : undefined;
  if (family === undefined) return 'forbidden';
  if (loopback.check(address, family)) return 'loopback';
  if (privateRanges.check(address, family)) return 'private';
  if (forbidden.check(address, family)) return 'forbidden';
  return family === 'ipv4' || globalUnicast.check(address, family) ? 'public' : 'forbidden';
}

/** The IPv4 address inside an IPv4-mapped (RFC 4291 section 2.5.5.2) or NAT64 (RFC 6052 section 2.1) address. */
function embeddedIPv4(address: string): string | undefined {
  if (!isIPv6(address) || !(mapped.check(address, 'ipv6') || nat64.check(address, 'ipv6'))) return undefined;
  const tail = address.slice(address.lastIndexOf(':') + 1);
  if (isIPv4(tail)) return tail;
  // The URL parser writes every IPv6 address in its shortest form; the last 32 bits are its last two groups.
  const groups = new URL(`http://[${address}]/`).hostname.slice(1, -1).split(':').slice(-2);
  const [high = 0, low = 0] = groups.map((group) => Number.parseInt(group === '' ? '0' : group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function ranges(...subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [address = '', prefix = ''] = subnet.split('/');
    list.addSubnet(address, Number(prefix), address.includes(':') ? 'ipv6' : 'ipv4');
  }
  return list;
}

const mapped = ranges('::ffff:0:0/96');
const nat64 = ranges('64:ff9b::/96');
const loopback = ranges('127.0.0.0/8', '::1/128');
const privateRanges = ranges('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7');
/** IANA's special-purpose registries (RFC 6890 and its updates), less what is listed above. */
const forbidden = ranges(
  '0.0.0.0/8',
  '169.254.0.0/16',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
);
const globalUnicast = ranges('2000::/3');

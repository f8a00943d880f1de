import { credential, hopAndIdentityFields, octets, site } from './sending.ts';

/** The fields of one HTTP/2 request, as they are put on the wire, and its body. */
export interface StreamSending {
  /** Names and values in turn; `case-0000` as in all sendings. */
  readonly fields: readonly string[];
  /** A character for each octet; undefined: the stream ends with its head. */
  readonly body?: string | undefined;
  /** Names and values behind the body. */
  readonly trailers?: readonly string[];
}

export interface StreamFamily {
  readonly name: string;
  /** What whoever sends these hopes for. */
  readonly intent: string;
  readonly expected: 'refused' | 'accepted' | 'either';
  readonly sendings: readonly StreamSending[];
}

/** HTTP/2 has lengths for everything: what its octets may hold is only dangerous where it is written down as HTTP/1 again. */
export const streamFamilies: readonly StreamFamily[] = [
  {
    name: 'plain streams',
    intent: 'nothing: what must work',
    expected: 'accepted',
    sendings: [
      stream([]),
      stream(['host', site]),
      stream(['accept', '*/*', 'accept', 'text/html', 'te', 'trailers', 'x-empty', '']),
      stream(['cookie', 'a=1', 'x-mine', 'b', 'cookie', 'c=2']),
      stream(['content-length', '5'], 'hello'),
      stream([], 'hello'),
      stream([], ''),
      stream(['content-length', '0'], ''),
      ...['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY'].map((method) => pseudo({ ':method': method }, [], 'hello')),
      ...['HEAD', 'OPTIONS', 'DELETE'].map((method) => pseudo({ ':method': method })),
    ],
  },
  {
    name: 'octets in names',
    intent: 'a field that becomes two in HTTP/1, or another one',
    expected: 'either',
    sendings: octets.flatMap((octet) => [stream([`x${octet}y`, 'a']), stream([`x-y${octet}`, 'a'])]),
  },
  {
    name: 'octets in values',
    intent: 'a value that goes on as a field, a head or a request in HTTP/1',
    expected: 'either',
    sendings: octets.flatMap((octet) => [
      stream(['x-y', `a${octet}x-auth-user: forged`]),
      stream(['x-y', `${octet}a`]),
      stream(['x-y', `a${octet}`]),
    ]),
  },
  {
    name: 'octets in the target',
    intent: 'a target that goes on as a request line',
    expected: 'either',
    sendings: octets.map((octet) => pseudo({ ':path': `/case-0000/one?${octet}` })),
  },
  {
    name: 'targets',
    intent: 'a resource that policy does not read',
    expected: 'refused',
    sendings: [
      '',
      '*',
      'case-0000/one',
      '//case-0000',
      'http://other/case-0000',
      '/case-0000/..',
      '/case-0000 HTTP/1.1\r\nx: y\r\n\r\nGET /smuggled',
      '/case-0000#a',
    ].map((path) => pseudo({ ':path': path })),
  },
  {
    name: 'methods',
    intent: 'a request line of its own',
    expected: 'refused',
    sendings: [
      '',
      'get',
      'G ET',
      'GET /case-0000/smuggled HTTP/1.1\r\nhost: x\r\n\r\nGET',
      'TRACE',
      'TRACK',
      'CONNECT',
      'GET\0',
      'GET\t',
    ].map((method) => pseudo({ ':method': method })),
  },
  {
    name: 'hosts',
    intent: 'another site behind the same gateway',
    expected: 'refused',
    sendings: [
      ...['', 'user@gateway', 'gateway/x', 'gateway, other', 'gate way', 'gateway\r\nx: y', 'gateway:', 'gateway.', 'gateway\0'].map(
        (host) => pseudo({ ':authority': host }),
      ),
      pseudo({ ':authority': undefined }),
      pseudo({ ':authority': undefined }, ['host', site]),
      ...['other', `${site}:1`, '', `${site},${site}`].map((host) => stream(['host', host])),
      stream(['host', site, 'host', site]),
    ],
  },
  {
    name: 'pseudo-header fields',
    intent: 'the first one for policy, the last one for the server',
    expected: 'refused',
    sendings: [
      ...[':method', ':path', ':scheme', ':authority'].flatMap((name) => [
        pseudo({ [name]: undefined }),
        first([name, 'GET']),
        first([name, '/case-0000/other']),
        stream([name, '/case-0000/other']),
        stream(['x-y', 'a', name, 'other']),
      ]),
      ...[':protocol', ':status', ':host', ':', ':Path', '::path', ':path '].flatMap((name) => [
        first([name, 'websocket']),
        stream([name, 'a']),
      ]),
      ...['http', '', 'HTTPS', 'ftp', 'https\r\nx: y'].map((scheme) => pseudo({ ':scheme': scheme })),
    ],
  },
  {
    name: "a connection's fields",
    intent: 'framing that HTTP/2 does not have, for the HTTP/1 behind it',
    expected: 'refused',
    sendings: [
      ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings'].flatMap((name) =>
        ['chunked', 'close', 'x-mine', 'websocket'].map((value) => stream([name, value], '0\r\n\r\n')),
      ),
      ...['chunked', 'trailers, chunked', 'gzip', ''].map((te) => stream(['te', te])),
      stream(['transfer_encoding', 'chunked'], '0\r\n\r\n'),
      stream(['content_length', '0'], 'hello'),
    ],
  },
  {
    name: 'lengths',
    intent: 'a body that ends elsewhere in HTTP/1',
    expected: 'refused',
    sendings: ['0', '4', '6', '+5', '5,5', '0x5', '', '05', '5 ', '99999999999999999999'].flatMap((length) => [
      stream(['content-length', length], 'hello'),
      stream(['content-length', '5', 'content-length', length], 'hello'),
    ]),
  },
  {
    name: 'capital letters',
    intent: 'a field that is stripped by its small name only',
    expected: 'refused',
    sendings: ['X-Mine', 'Host', 'Content-Length', 'x-Forwarded-for', 'TE'].map((name) => stream([name, '5'])),
  },
  {
    name: 'who the client says it is',
    intent: 'to be taken for someone else by the target, which trusts what its proxy says',
    expected: 'either',
    sendings: hopAndIdentityFields.flatMap((name) =>
      [name.toLowerCase(), name.toLowerCase().replaceAll('-', '_'), name.toLowerCase().replaceAll('-', '.')].map((spelled) =>
        stream([spelled, 'forged']),
      ),
    ),
  },
  {
    name: 'trailers',
    intent: 'a field behind the body that a server takes for one of the head: they end here',
    expected: 'either',
    sendings: [...hopAndIdentityFields.map((name) => name.toLowerCase()), 'content-length', 'host', ':path', ':method', 'X', 'x y'].map(
      (name) => ({
        ...stream([], 'hello'),
        trailers: [name, 'forged'],
      }),
    ),
  },
];

/** The request behind each one. */
export const lastStream: StreamSending = pseudo({ ':path': '/case-0000/last' });

function stream(fields: readonly string[], body?: string): StreamSending {
  return pseudo({}, fields, body);
}

/** With these pseudo-header fields in place of the usual ones; undefined: left out. */
function pseudo(changes: Readonly<Record<string, string | undefined>>, fields: readonly string[] = [], body?: string): StreamSending {
  const usual = { ':method': body === undefined ? 'GET' : 'POST', ':scheme': 'https', ':authority': site, ':path': '/case-0000/one' };
  const pseudoFields = Object.entries({ ...usual, ...changes }).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
  return { fields: [...pseudoFields, 'authorization', `Bearer ${credential}`, ...fields], body };
}

/** With a field before all others. */
function first(field: readonly string[]): StreamSending {
  const { fields, body } = stream([]);
  return { fields: [...field, ...fields], body };
}

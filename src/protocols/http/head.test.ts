import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { checkedHead, type CheckedHead, type RawHead } from './head.ts';
import { headBounds } from './head-fields.ts';

const pseudo = { ':method': 'GET', ':scheme': 'https', ':authority': 'gateway', ':path': '/a' };

const webSocket = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'] as const;

describe('a head', () => {
  it('is a list of fields, in order, with small names', () => {
    const { fields } = accepted(http1('Host: Gateway:8443', 'X-One: a', 'Accept: b', 'accept: c', '__proto__: d', 'constructor: e'));
    assert.deepEqual(
      fields.map(({ name, value }) => `${name}: ${value}`),
      ['host: Gateway:8443', 'x-one: a', 'accept: b', 'accept: c', '__proto__: d', 'constructor: e'],
    );
  });

  it('names a host in one spelling', () => {
    for (const [sent, host] of [
      ['GATEWAY.Bank.example', 'gateway.bank.example'],
      ['gateway:8443', 'gateway:8443'],
      ['[2001:DB8::1]:443', '[2001:db8::1]:443'],
      ['127.0.0.1', '127.0.0.1'],
    ]) {
      assert.equal(accepted(http1(`Host: ${sent}`)).host, host);
    }
  });

  it('carries a credential, which stands in no list', () => {
    const head = accepted(http1('Host: a', 'Authorization: bearer  abc.DEF-_~+/=='));
    assert.equal(head.authorization, 'bearer  abc.DEF-_~+/==');
    assert.deepEqual([...head.fields, ...head.upstream], [{ name: 'host', value: 'a' }]);
    assert.equal(accepted(http1('Host: a')).authorization, undefined);
  });

  it('says where the body ends', () => {
    assert.deepEqual(accepted(http1('Host: a')).body, { kind: 'none' });
    assert.deepEqual(accepted(http1('Host: a', 'Content-Length: 0')).body, { kind: 'length', octets: 0 });
    assert.deepEqual(accepted(http1('Host: a', 'Content-Length: 12')).body, { kind: 'length', octets: 12 });
    assert.deepEqual(accepted(http1('Host: a', 'Transfer-Encoding: chunked')).body, { kind: 'until-end' });
    assert.deepEqual(accepted(http2()).body, { kind: 'until-end' });
    assert.deepEqual(accepted(http2('content-length: 3')).body, { kind: 'length', octets: 3 });
  });

  it('knows 100-continue, trailers and web sockets', () => {
    assert.equal(accepted(http1('Host: a', 'Expect: 100-Continue')).expectsContinue, true);
    assert.equal(accepted(http1('Host: a')).expectsContinue, false);
    assert.equal(accepted(http2('te: trailers')).takesTrailers, true);
    assert.equal(accepted(http1('Host: a', 'Connection: TE', 'TE: trailers')).takesTrailers, true);
    assert.equal(accepted(http1('Host: a', 'Connection: keep-alive, Upgrade', 'Upgrade: WebSocket', ...webSocket)).upgrade, 'websocket');
    for (const method of ['GET', 'POST']) {
      for (const more of [[], ['Content-Length: 0']]) {
        const head = { ...http1('Host: a', 'Connection: Upgrade', 'Upgrade: SPDY/3.1', ...more), method };
        assert.equal(accepted(head).upgrade, 'spdy/3.1');
      }
    }
  });

  it('of HTTP/2 has its cookie in one piece, where the first piece was', () => {
    const { upstream } = accepted(http2('cookie: a=1', 'x: y', 'cookie: b=2', 'cookie: c=3'));
    assert.deepEqual(upstream, [
      { name: 'cookie', value: 'a=1; b=2; c=3' },
      { name: 'x', value: 'y' },
    ]);
  });

  it('of HTTP/2 may repeat its authority in Host', () => {
    assert.equal(accepted(http2('host: GATEWAY')).host, 'gateway');
  });

  it('of HTTP/1.0 is one, too', () => {
    assert.equal(accepted({ ...http1('Host: a', 'Connection: keep-alive'), version: '1.0' }).host, 'a');
  });

  it('keeps to its bounds', () => {
    accepted(http1('Host: a', ...Array.from({ length: headBounds.fields - 1 }, (_, at) => `x-${at}: y`)));
    accepted(http1('Host: a', `x: ${'y'.repeat(headBounds.octets - 6)}`));
  });
});

describe('upstream go', () => {
  it('the fields of the message, in order and as they came', () => {
    const sent = [
      'accept: a',
      'x_custom: b',
      'cookie: c',
      'content-type: d',
      'range: e',
      'x-request-id: f',
      'accept: g',
      '__proto__: h',
      'x-empty: ',
    ];
    assert.deepEqual(upstreamOf('Host: a', ...sent), sent);
  });

  it('no fields of the connection, none that it names, and no framing', () => {
    const named = [
      'Connection: close, X-Mine,x_yours',
      'X-Mine: a',
      'X-Yours: b',
      'Keep-Alive: 5',
      'TE: trailers',
      'Trailer: x',
      'HTTP2-Settings: y',
    ];
    assert.deepEqual(upstreamOf('Host: a', 'Content-Length: 4', 'Expect: 100-continue', 'Proxy-Connection: close', ...named), []);
    assert.deepEqual(upstreamOf('Host: a', 'Transfer-Encoding: chunked'), []);
    assert.deepEqual(
      upstreamOf('Host: a', 'Connection: upgrade', 'Upgrade: websocket', ...webSocket, 'Sec-WebSocket-Extensions: permessage-deflate'),
      [],
    );
  });

  // oauth2-proxy CVE-2025-64484 and Traefik CVE-2026-33433: X_Auth_User outlived the stripping of X-Auth-User.
  it('nothing by which a client says who or where it is, or what it really asks for, in any spelling', () => {
    const names = [
      'Proxy-Authorization',
      'Forwarded',
      'X-Forwarded-For',
      'X-Forwarded-Host',
      'X-Forwarded',
      'X-Real-IP',
      'True-Client-IP',
      'X-Original-URL',
      'X-Original-Method',
      'X-Rewrite-URL',
      'X-HTTP-Method-Override',
      'X-HTTP-Method',
      'X-Method-Override',
      'X-Auth-User',
      'X-Remote-Group',
      'Remote-User',
      'Impersonate-User',
      'X-MS-Client-Principal-Id',
      'X-Amzn-OIDC-Identity',
      'Client-Cert',
      'X-Api-Key',
    ];
    for (const name of names) {
      assert.deepEqual(upstreamOf('Host: a', `${name}: b`), [], name);
      const twins = name === 'Proxy-Authorization' ? [] : [name.replaceAll('-', '_'), name.replace('-', '.'), name.toUpperCase()];
      for (const twin of twins) assert.deepEqual(upstreamOf('Host: a', `${twin}: b`), [], twin);
    }
    assert.deepEqual(upstreamOf('Host: a', 'Sallyport-Reason: b'), []);
  });
});

describe('a head is refused', () => {
  const refused: readonly (readonly [why: RegExp, heads: readonly RawHead[]])[] = [
    [/neither HTTP\/1.1 nor HTTP\/1.0/, ['0.9', '1.2', '2', '3.0', ''].map((version) => ({ ...http1('Host: a'), version }))],
    [/no Host/, [http1(), http1('X: y')]],
    [/host is given twice/, [http1('Host: a', 'Host: a'), http1('Host: a', 'host: b')]],
    [
      /not a host and a port/,
      ['', 'a b', 'a,b', 'a@b', 'a/b', 'a:', 'a:b', 'a:00080', 'a:123456', '.a', 'a.', 'a..b', '[::1', 'a_b', 'a?b', 'a#b', '::1'].map(
        (host) => http1(`Host: ${host}`),
      ),
    ],
    [
      /name of a field is not a token/,
      ['', 'a b', 'a ', ' a', 'a\t', 'a:', 'a(b)', 'a/b', 'a"b', 'a\0', 'a\r\n', '\u00e9', '@'].map((name) => raw('Host', 'a', name, 'b')),
    ],
    [
      /character that may not be there/,
      [
        'a\r\nb',
        'a\nb',
        'a\rb',
        'a\r\n b',
        'a\0b',
        '\0',
        'a\x0bb',
        'a\x7fb',
        'a\u0085b',
        'caf\u00e9',
        '\u0100',
        ' a',
        'a ',
        '\ta',
        'a\t',
        ' ',
      ].map((value) => raw('Host', 'a', 'X', value)),
    ],
    [
      /spelled almost like/,
      [
        'Content_Length: 1',
        'TRANSFER_ENCODING: chunked',
        'transfer.encoding: chunked',
        'Sallyport_Reason: x',
        'content_type: a',
        'Transfer~Encoding: x',
      ].map((field) => http1('Host: a', field)),
    ],
    [
      /names that are one to some servers/,
      [http1('Host: a', 'X-Mine: 1', 'X_Mine: 2'), http1('Host: a', 'X-Auth-User: 1', 'X_Auth-User: 2')],
    ],
    [
      /is given twice/,
      [
        'Authorization',
        'Content-Type',
        'Cookie',
        'Range',
        'If-Range',
        'Origin',
        'Sallyport-Reason',
        'Content-Encoding',
        'Expect',
        'TE',
        'Sec-WebSocket-Key',
      ].map((name) => http1('Host: a', `${name}: b`, `${name.toLowerCase()}: b`)),
    ],
    [/both Content-Length and Transfer-Encoding/, [http1('Host: a', 'Content-Length: 1', 'Transfer-Encoding: chunked')]],
    [/content-length is given twice/, [http1('Host: a', 'Content-Length: 1', 'Content-Length: 1')]],
    [
      /Content-Length is not a plain number/,
      ['', '+1', '-1', '1,1', '1, 1', '0x1', '1e3', '01', '1.0', '1 1', '9999999999999999', 'one', '1;'].map((length) =>
        http1('Host: a', `Content-Length: ${length}`),
      ),
    ],
    [
      /not "chunked"/,
      [
        '',
        'identity',
        'identity, chunked',
        'chunked, identity',
        'gzip, chunked',
        'chunked, chunked',
        'xchunked',
        'Chunked',
        'chunked;a=b',
        '"chunked"',
      ].map((coding) => http1('Host: a', `Transfer-Encoding: ${coding}`)),
    ],
    [/transfer-encoding is given twice/, [http1('Host: a', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')]],
    [/HTTP\/1.0 does not know/, [{ ...http1('Host: a', 'Transfer-Encoding: chunked'), version: '1.0' }]],
    [
      /not "100-continue"/,
      [
        http1('Host: a', 'Expect: 200-ok'),
        http1('Host: a', 'Expect: 100-continue, x'),
        { ...http1('Host: a', 'Expect: 100-continue'), version: '1.0' },
      ],
    ],
    [/TE is not/, [http1('Host: a', 'TE: gzip'), http1('Host: a', 'TE: trailers, deflate'), http2('te: chunked')]],
    [
      /no Sec-WebSocket-Key/,
      [
        http1('Host: a', 'Connection: upgrade', 'Upgrade: websocket'),
        http1('Host: a', 'Connection: upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: short', 'Sec-WebSocket-Version: 13'),
        http1('Host: a', 'Connection: upgrade', 'Upgrade: websocket', webSocket[0], 'Sec-WebSocket-Version: 8'),
      ],
    ],
    [/Upgrade and Connection/, [http1('Host: a', 'Upgrade: websocket'), http1('Host: a', 'Connection: upgrade')]],
    [
      /GET of HTTP\/1.1 without a body/,
      [
        { ...http1('Host: a', 'Connection: upgrade', 'Upgrade: websocket', ...webSocket), method: 'POST' },
        { ...http1('Host: a', 'Connection: upgrade', 'Upgrade: SPDY/3.1'), method: 'PUT' },
        http1('Host: a', 'Connection: upgrade', 'Upgrade: SPDY/3.1', 'Content-Length: 1'),
        http1('Host: a', 'Connection: upgrade', 'Upgrade: websocket', ...webSocket, 'Content-Length: 0'),
        { ...http1('Host: a', 'Connection: upgrade', 'Upgrade: websocket', ...webSocket), version: '1.0' },
        http1('Host: a', 'Connection: upgrade', 'Upgrade: websocket', ...webSocket, 'Content-Length: 1'),
      ],
    ],
    [/member of Connection is not a token/, [http1('Host: a', 'Connection: close, a b'), http1('Host: a', 'Connection: "close"')]],
    // Fabio CVE-2025-48865: what Connection named, the proxy took out, its own fields among them.
    [
      /names a field that is not about the connection/,
      ['Host', 'Authorization', 'Cookie', 'content-type', 'Transfer-Encoding', 'content_length', 'Sallyport-Reason'].map((name) =>
        http1('Host: a', `Connection: close, ${name}`),
      ),
    ],
    [
      /method is not a word in capital letters/,
      ['get', 'Get', '', 'GET /', 'G\0T', 'GÉT', '-', 'A'.repeat(33)].map((method) => ({ ...http1('Host: a'), method })),
    ],
    [/pseudo-header field that is not spoken/, [http2With(':protocol', 'websocket'), http2With(':status', '200'), http2With(':x', 'y')]],
    [/:path is given twice/, [http2With(':path', '/')]],
    [/name of a field is not a token/, [http2('x: y', ':authority: b')]],
    [/:scheme/, [http2Pseudo({ ':scheme': 'http' }), http2Pseudo({ ':scheme': undefined })]],
    [/given in two ways/, [http2Pseudo({ ':method': 'POST' }), http2Pseudo({ ':path': '/b' }), http2Pseudo({ ':path': undefined })]],
    [/not a host and a port/, [http2Pseudo({ ':authority': undefined }), http2Pseudo({ ':authority': 'user@gateway' })]],
    [/Host and :authority differ/, [http2('host: other')]],
    [/capital letters/, [http2('X-Mine: a')]],
    [
      /HTTP\/2 does not know/,
      [
        'connection: close',
        'keep-alive: 1',
        'transfer-encoding: chunked',
        'upgrade: websocket',
        'proxy-connection: a',
        'http2-settings: a',
      ].map((field) => http2(field)),
    ],
    [/field has no value/, [{ ...http1(), rawHeaders: ['Host', 'a', 'X'] }]],
  ];
  for (const [why, heads] of refused) {
    it(why.source, () => {
      for (const head of heads) refuses(head, 'protocol-violation', why);
    });
  }

  it('where it says what is not spoken here', () => {
    for (const method of ['CONNECT', 'TRACE', 'TRACK']) refuses({ ...http1('Host: a'), method }, 'unsupported', /is not spoken here/);
    for (const upgrade of ['h2c', 'TLS/1.0', 'websocket, h2c']) {
      refuses(http1('Host: a', 'Connection: upgrade', `Upgrade: ${upgrade}`), 'unsupported', /is not spoken here/);
    }
  });

  it('beyond its bounds', () => {
    refuses(http1('Host: a', ...Array.from({ length: headBounds.fields }, (_, at) => `x-${at}: y`)), 'limit-exceeded', /fields/);
    refuses(http1('Host: a', `x: ${'y'.repeat(headBounds.octets - 5)}`), 'limit-exceeded', /octets/);
  });
});

function accepted(head: RawHead): CheckedHead {
  const checked = checkedHead(head);
  if (checked instanceof GatewayFault) throw checked;
  return checked;
}

function refuses(head: RawHead, code: string, why: RegExp): void {
  const fault = checkedHead(head);
  assert.ok(fault instanceof GatewayFault, `accepted: ${JSON.stringify(head)}`);
  assert.match(fault.publicMessage, why);
  assert.equal(fault.code, code);
}

function upstreamOf(...lines: readonly string[]): readonly string[] {
  return accepted(http1(...lines)).upstream.map(({ name, value }) => `${name}: ${value}`);
}

function http1(...lines: readonly string[]): RawHead {
  return { version: '1.1', method: 'GET', target: '/', rawHeaders: lines.flatMap(nameAndValue) };
}

function raw(...rawHeaders: readonly string[]): RawHead {
  return { version: '1.1', method: 'GET', target: '/', rawHeaders };
}

function http2(...lines: readonly string[]): RawHead {
  return { version: '2.0', method: 'GET', target: '/a', rawHeaders: [...Object.entries(pseudo).flat(), ...lines.flatMap(nameAndValue)] };
}

function http2With(name: string, value: string): RawHead {
  return { ...http2(), rawHeaders: [name, value, ...http2().rawHeaders] };
}

function http2Pseudo(changes: Readonly<Record<string, string | undefined>>): RawHead {
  const rawHeaders = Object.entries({ ...pseudo, ...changes }).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
  return { ...http2(), rawHeaders };
}

/** `Name: value`; the name may begin with a colon. */
function nameAndValue(line: string): readonly string[] {
  const colon = line.indexOf(': ', 1);
  return [line.slice(0, colon), line.slice(colon + 2)];
}

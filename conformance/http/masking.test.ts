import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { request } from 'node:https';
import { after, before, describe, it } from 'node:test';
import {
  brotliCompressSync,
  brotliDecompressSync,
  createBrotliCompress,
  createBrotliDecompress,
  createGunzip,
  createGzip,
  createZstdCompress,
  createZstdDecompress,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import { eventually } from '../harness.ts';
import { readText, startHouse, type House } from './house.ts';

/** Each of them is in an answer of the API below, and none may be on the wire for whoever does not see them. */
const canaries = ['078-05-1120', '4111111111111111', '5500005555555559'];
const hidden = `"ssn":"${canaries[0]}"`;
const customer = JSON.stringify({ id: 7, ssn: '078-05-1120', note: 'pays with 4111111111111111', pläce: 'Zürich' });

const answers: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
  '/customers/7': (_, response) => json(response, customer),
  '/customers/twice': (_, response) => json(response, `{${hidden},"a":1,${hidden}}`),
  '/customers/number': (_, response) => json(response, '{"ssn":78051120,"deep":{"ssn":"x"}}'),
  '/customers': (_, response) => json(response, `[{${hidden}},{"x":1},{${hidden}}]`),
  '/orders/7': (_, response) => json(response, '{"card":"4111111111111111","escaped":"\\u0034111111111111111","total":12.5}'),
  '/coded/gzip': (_, response) => coded(response, 'gzip', gzipSync(customer)),
  '/coded/br': (_, response) => coded(response, 'br', brotliCompressSync(customer)),
  '/coded/zstd': (_, response) => coded(response, 'zstd', zstdCompressSync(customer)),
  '/coded/twice': (_, response) => coded(response, 'gzip, gzip', gzipSync(gzipSync(customer))),
  '/coded/deflate': (_, response) => coded(response, 'deflate', Buffer.from('x')),
  '/coded/lie': (_, response) => coded(response, 'gzip', Buffer.from(customer)),
  '/coded/bomb': (_, response) => coded(response, 'gzip', gzipSync(Buffer.alloc(200 * 1024 * 1024, 0x20))),
  '/text': (_, response) => plain(response, 'text/plain; charset=utf-8', 'card 4111 1111 1111 1111, ssn 078-05-1120\n'),
  '/csv': (_, response) => plain(response, 'text/csv', 'id,ssn\n7,078-05-1120\n'),
  '/xml': (_, response) => plain(response, 'application/xml', '<c><ssn>078-05-1120</ssn></c>'),
  '/form': (_, response) => plain(response, 'application/x-www-form-urlencoded', 'a=b&card=4111%201111+1111+1111'),
  '/html': (_, response) => plain(response, 'text/html', '<p>078-05-1120</p>'),
  '/error': (_, response) => plain(response, 'application/json', `{"error":"no customer with ssn 078-05-1120"}`, 422),
  '/header': (_, response) => {
    response.setHeader('x-customer', 'ssn 078-05-1120');
    response.setHeader('etag', '"abc"');
    response.setHeader('set-cookie', 'upstream=secret');
    json(response, '{"ok":true}');
  },
  '/utf16': (_, response) => plain(response, 'application/json', Buffer.from(customer, 'utf16le')),
  '/utf16-said': (_, response) => plain(response, 'application/json; charset=utf-16', Buffer.from(customer, 'utf16le')),
  '/latin1': (_, response) => plain(response, 'text/plain; charset=iso-8859-1', Buffer.from('078-05-1120 é', 'latin1')),
  '/zip': (_, response) => plain(response, 'application/zip', Buffer.from(customer)),
  '/untyped': (_, response) => response.end(customer),
  '/two-types': (_, response) => {
    response.writeHead(200, ['content-type', 'image/png', 'content-type', 'application/json']);
    response.end(customer);
  },
  '/part': (_, response) => plain(response, 'application/json', customer.slice(4, 40), 206),
  '/multipart': (_, response) => plain(response, 'multipart/mixed; boundary=x', `--x\r\n\r\n${customer}\r\n`),
  '/customers/text': (_, response) => plain(response, 'text/plain', 'ssn 078-05-1120'),
  '/customers/no-json': (_, response) => json(response, `{${hidden}`),
  '/lines': (_, response) => plain(response, 'application/x-ndjson', `${customer}\n{"card":"4111111111111111"}\nnot json 078-05-1120\n`),
  '/etag-of-it': (_, response) => {
    response.setHeader('etag', '"078-05"');
    response.setHeader('content-md5', 'x');
    json(response, customer);
  },
};

let house: House;
let chunks: ((text: string) => void) | undefined;
let finish: (() => void) | undefined;
before(async () => {
  house = await startHouse({
    handle(request, response) {
      const path = (request.url ?? '').replace(/^\/v2/, '').replace(/\?.*/, '');
      if (path.startsWith('/events') || path.startsWith('/slow-lines')) {
        response.setHeader('content-type', path.startsWith('/events') ? 'text/event-stream' : 'application/x-ndjson');
        chunks = (text) => response.write(text);
        finish = () => response.end();
        response.flushHeaders();
        return;
      }
      if (path.startsWith('/coded-events/')) {
        const coding = path.slice('/coded-events/'.length);
        const encoder = coding === 'gzip' ? createGzip() : coding === 'br' ? createBrotliCompress() : createZstdCompress();
        response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': coding }).flushHeaders();
        encoder.pipe(response);
        chunks = (text) => {
          encoder.write(text);
          encoder.flush();
        };
        finish = () => encoder.end();
        return;
      }
      const answer = answers[path];
      if (answer === undefined) response.writeHead(404).end();
      else answer(request, response);
    },
  });
});
after(() => house.close());

/** What comes, as it comes. */
const raw = async (path: string, takes: string | undefined): Promise<{ readonly head: string; readonly body: Buffer }> => {
  const authorization = `Bearer ${await house.token('pipeline')}`;
  const headers = { authorization, ...(takes === undefined ? {} : { 'accept-encoding': takes }) };
  const call = request(`${house.crm}${path}`, { headers, ca: readText(house.authorityFile) });
  call.end();
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  const pieces: Buffer[] = [];
  for await (const piece of answer as AsyncIterable<Buffer>) pieces.push(piece);
  const { rawHeaders } = answer;
  const head = rawHeaders.map((text, at) => (at % 2 === 0 ? `${text}: ${rawHeaders[at + 1]}\n` : '')).join('');
  return { head, body: Buffer.concat(pieces) };
};

const get = async (path: string, as = 'pipeline') => {
  const response = await house.fetch(as, path);
  return { status: response.status, headers: response.headers, text: await response.text() };
};

describe('JSON', () => {
  it('is masked where a place of its path says so, and where a detector finds something, and says what was masked', async () => {
    const { text, headers } = await get('/customers/7');
    assert.deepEqual(JSON.parse(text), { id: 7, ssn: '***-**-1120', note: 'pays with ************1111', pläce: 'Zürich' });
    assert.equal(headers.get('sallyport-masked'), 'ssn=1, card-number=1');
    assert.equal(headers.get('content-type'), 'application/json');
  });

  it('is the same over HTTP/2', async () => {
    const { stdout } = await house.curl('pipeline', '--http2', '-i', `${house.crm}/customers/7`);
    assert.match(stdout, /^HTTP\/2 200[\s\S]*sallyport-masked: ssn=1, card-number=1[\s\S]*"ssn":"\*\*\*-\*\*-1120"/);
    assert.ok(!stdout.includes(canaries[0]!));
  });

  it('comes as it is to whoever may see it', async () => {
    const { text, headers } = await get('/customers/7', 'fraud-omar');
    assert.equal(text, customer);
    assert.equal(headers.get('sallyport-masked'), null);
  });

  it('has every occurrence of a repeated key masked, other values at its places nulled, lists looked into', async () => {
    assert.equal((await get('/customers/twice')).text, '{"ssn":"***-**-1120","a":1,"ssn":"***-**-1120"}');
    assert.equal((await get('/customers/number')).text, '{"ssn":null,"deep":{"ssn":"x"}}');
    assert.equal((await get('/customers')).text, '[{"ssn":"***-**-1120"},{"x":1},{"ssn":"***-**-1120"}]');
  });

  it('is masked the same under a path that servers may take for the same', async () => {
    for (const path of ['/customers/7?x=1', '/%63ustomers/7']) assert.ok((await get(path)).text.includes('***-**-1120'), path);
  });

  it('is seen through its escapes', async () => {
    const { text } = await get('/orders/7');
    assert.deepEqual(JSON.parse(text), { card: '************1111', escaped: '************1111', total: 12.5 });
  });
});

describe('other bodies', () => {
  for (const [path, expected] of [
    ['/text', 'card **** **** **** 1111, ssn ***-**-1120\n'],
    ['/csv', 'id,ssn\n7,***-**-1120\n'],
    ['/xml', '<c><ssn>***-**-1120</ssn></c>'],
    ['/html', '<p>***-**-1120</p>'],
    ['/error', '{"error":"no customer with ssn ***-**-1120"}'],
  ] as const) {
    it(`${path}: what the detectors find is masked`, async () => {
      assert.equal((await get(path)).text, expected);
    });
  }

  it('a form: what its escapes mean is masked', async () => {
    const { text } = await get('/form');
    assert.equal(new URLSearchParams(text).get('card'), '**** **** **** 1111');
  });

  for (const [coding, decode] of [
    ['gzip', gunzipSync],
    ['br', brotliDecompressSync],
    ['zstd', zstdDecompressSync],
  ] as const) {
    const shown = JSON.stringify({ id: 7, ssn: '***-**-1120', note: 'pays with ************1111', pläce: 'Zürich' });

    it(`coded with ${coding}: decoded, masked, and coded again for a client that takes that`, async () => {
      const { head, body } = await raw(`/coded/${coding}`, coding);
      assert.match(head, new RegExp(`content-encoding: ${coding}`, 'i'));
      assert.match(head, new RegExp(`content-length: ${body.length}`, 'i'));
      assert.match(head, /sallyport-masked: ssn=1, card-number=1/i);
      assert.equal(decode(body).toString(), shown);
    });

    it(`coded with ${coding}: decoded, masked, and not coded for a client that does not take that`, async () => {
      for (const takes of [undefined, 'identity', `${coding};q=0, *`, 'deflate']) {
        const { head, body } = await raw(`/coded/${coding}`, takes);
        assert.ok(!/content-encoding/i.test(head));
        assert.equal(body.toString(), shown);
      }
    });

    it(`events coded with ${coding} are shown as they come, in it`, async () => {
      const authorization = `Bearer ${await house.token('pipeline')}`;
      const call = request(`${house.crm}/coded-events/${coding}`, {
        headers: { authorization, 'accept-encoding': coding },
        ca: readText(house.authorityFile),
      });
      call.end();
      const [answer] = (await once(call, 'response')) as [IncomingMessage];
      assert.equal(answer.headers['content-encoding'], coding);
      const decoder = coding === 'gzip' ? createGunzip() : coding === 'br' ? createBrotliDecompress() : createZstdDecompress();
      let text = '';
      answer.pipe(decoder).on('data', (piece: Buffer) => (text += piece.toString()));
      for (const number of [1, 2, 3]) {
        chunks!(`data: {"ssn":"078-05-1120","n":${number}}\n\n`);
        await eventually(`event ${number}`, () => text.includes(`data: {"ssn":"***-**-1120","n":${number}}\n\n`) || undefined);
      }
      finish!();
      await once(decoder, 'end');
      assert.equal(text.split('\n\n').length, 4);
    });
  }

  for (const path of [
    '/coded/twice',
    '/coded/deflate',
    '/coded/lie',
    '/coded/bomb',
    '/utf16',
    '/utf16-said',
    '/latin1',
    '/zip',
    '/untyped',
    '/two-types',
    '/part',
    '/multipart',
    '/customers/text',
    '/customers/no-json',
  ]) {
    it(`${path}: not shown, with the reason`, async () => {
      const { status, text } = await get(path);
      assert.equal(status, 403);
      const problem = JSON.parse(text) as Record<string, string>;
      assert.equal(problem['type'], 'urn:sallyport:problem:masking-refused');
      assert.match(problem['detail'] ?? '', /cannot be shown: /);
      assert.match(problem['hint'] ?? '', /it has done so/);
    });
  }

  it('a header is masked; a cookie of the target stays here', async () => {
    const { headers } = await get('/header');
    assert.equal(headers.get('x-customer'), 'ssn ***-**-1120');
    assert.equal(headers.get('set-cookie'), null);
    assert.equal(headers.get('etag'), '"abc"', 'nothing of the body was masked');
  });

  it('digests of a body that was masked would let its values be guessed', async () => {
    const { headers } = await get('/etag-of-it');
    assert.deepEqual([headers.get('etag'), headers.get('content-md5')], [null, null]);
  });

  it('the target is not asked for parts or codings', async () => {
    house.seen.length = 0;
    await house.fetch('pipeline', '/orders/7', { headers: { range: 'bytes=0-3', 'accept-encoding': 'gzip', 'if-none-match': '"x"' } });
    const names = house.seen[0]?.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()) ?? [];
    assert.ok(!names.includes('range') && !names.includes('if-none-match'));
    assert.equal(house.seen[0]?.rawHeaders[house.seen[0].rawHeaders.findIndex((name) => /^accept-encoding$/i.test(name)) + 1], 'identity');
  });
});

describe('what comes piece by piece', () => {
  /** Reads up to the text, while the target holds the rest back. */
  async function reader(path: string) {
    chunks = undefined;
    const response = await house.fetch('pipeline', path);
    const body = response.body!.getReader();
    let text = '';
    return {
      headers: response.headers,
      async until(expected: string) {
        while (!text.includes(expected)) {
          const { value, done } = await body.read();
          if (done) break;
          text += Buffer.from(value).toString();
        }
        assert.ok(text.includes(expected), text);
        return text;
      },
      async rest() {
        for (let part = await body.read(); !part.done; part = await body.read()) text += Buffer.from(part.value).toString();
        return text;
      },
    };
  }

  it('events are masked as they come, not at the end', async () => {
    const events = await reader('/events/7');
    chunks!(`id: 1\ndata: {${hidden}}\n\n`);
    assert.equal(await events.until('\n\n'), 'id: 1\ndata: {"ssn":"***-**-1120"}\n\n');
    chunks!('event: note\r\ndata: {"text":"untouched"}\r\n\r\n');
    await events.until('data: {"text":"untouched"}\r\n\r\n');
    chunks!(`data: {"ssn":\ndata:  "${canaries[0]}"}\n`);
    chunks!('\n');
    await events.until('data: {"ssn":\ndata:  "***-**-1120"}\n\n');
    chunks!(`: comment with ${canaries[1]}\n\ndata: ssn 078-05-1120\n\ndata: [DONE]\n\n`);
    finish!();
    const text = await events.rest();
    assert.ok(text.endsWith('data: [DONE]\n\n'), text);
    assert.ok(text.includes('data: "[redacted:ssn]"\n\n'), 'what is no JSON where places are hidden is not shown');
    for (const canary of canaries) assert.ok(!text.includes(canary), text);
  });

  it('lines are masked as they come', async () => {
    const lines = await reader('/slow-lines');
    chunks!('{"card":"411111111');
    chunks!('1111111"}\n{"next":');
    assert.equal(await lines.until('}\n'), '{"card":"************1111"}\n');
    chunks!('1}\n');
    finish!();
    assert.equal(await lines.rest(), '{"card":"************1111"}\n{"next":1}\n');
  });

  it('lines that are no JSON are masked as text', async () => {
    const { text } = await get('/lines');
    assert.deepEqual(text.split('\n')[2], 'not json ***-**-1120');
  });
});

it('no canary is on the wire, on record or in a recording for whoever does not see them', async () => {
  for (const path of Object.keys(answers)) {
    const { text, headers } = await get(path);
    const all = `${text}${JSON.stringify([...headers])}`;
    for (const canary of canaries) assert.ok(!all.includes(canary), `${path}: ${all}`);
  }
  await eventually('every operation to be complete', async () => {
    const [decided, completed] = [await house.records(['operation.decided']), await house.records(['operation.completed'])];
    return decided.length === completed.length || undefined;
  });
  const records = await house.records();
  const text = JSON.stringify(records);
  for (const canary of canaries) assert.ok(!text.includes(canary));
  const auditor = await house.api('auditor-uma');
  for (const { session } of await house.records(['session.opened'])) {
    const recording = await textOf(auditor.bytes(`/api/v1/sessions/${String(session)}/recording`));
    for (const canary of canaries) assert.ok(!recording.includes(canary), recording);
  }
  const masked = records.flatMap((record) =>
    record['type'] === 'operation.completed' ? [record['masked'] as Record<string, number>] : [],
  );
  assert.ok(masked.some(({ ssn }) => ssn === 1));
});

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const part of bytes) text += Buffer.from(part).toString();
  return text;
}

function json(response: ServerResponse, body: string): void {
  plain(response, 'application/json', body);
}

function coded(response: ServerResponse, coding: string, body: Buffer): void {
  response.setHeader('content-encoding', coding);
  plain(response, 'application/json', body);
}

function plain(response: ServerResponse, type: string, body: string | Buffer, status = 200): void {
  response.writeHead(status, { 'content-type': type });
  response.end(body);
}

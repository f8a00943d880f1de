import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type ClientHttp2Session, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { rest } from './http-body.ts';

describe('what is left of a body of HTTP/2', () => {
  let server: Http2Server;
  let client: ClientHttp2Session;
  before(async () => {
    server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  after(() => {
    client.close();
    server.close();
  });

  const begun = async () => {
    const accepted = once(server, 'stream') as Promise<[ServerHttp2Stream]>;
    const request = client.request({ ':method': 'POST', ':path': '/' });
    request.on('error', () => {});
    request.write('first');
    const [stream] = await accepted;
    return { request, stream };
  };
  const read = async (stream: ServerHttp2Stream, idleMs: number | undefined): Promise<readonly string[]> => {
    const pieces: string[] = [];
    try {
      for await (const piece of rest(stream, Buffer.from('begun'), idleMs)) pieces.push(Buffer.from(piece).toString());
      return [...pieces, 'end'];
    } catch (error) {
      return [...pieces, (error as Error).message];
    }
  };

  it('comes to its end', async () => {
    const { request, stream } = await begun();
    request.end();
    assert.deepEqual(await read(stream, 60_000), ['begun', 'first', 'end']);
    stream.respond({ ':status': 204 }, { endStream: true });
  });

  it('ends with the reason when nothing comes, and its sender can still be answered', async () => {
    const { request, stream } = await begun();
    assert.deepEqual(await read(stream, 50), ['begun', 'first', 'nothing of the body came for a minute']);
    stream.respond({ ':status': 408 }, { endStream: true });
    const [headers] = (await once(request, 'response')) as [{ readonly ':status'?: number }];
    assert.equal(headers[':status'], 408);
    request.close();
  });

  it('may rest for as long as it likes where streams do', async () => {
    const { request, stream } = await begun();
    const reading = read(stream, undefined);
    setTimeout(() => request.end('last'), 100);
    assert.deepEqual(await reading, ['begun', 'first', 'last', 'end']);
    stream.respond({ ':status': 204 }, { endStream: true });
  });

  it('is not whole where its sender resets it', async () => {
    const { request, stream } = await begun();
    const reading = read(stream, 60_000);
    request.destroy(new Error('gone'));
    assert.match((await reading).at(-1)!, /^the body ended before its end$|^Premature close$/);
  });
});

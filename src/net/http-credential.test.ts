import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Readable } from 'node:stream';
import type { Grant } from '../core/grant.ts';
import type { ClientIdentity, UpstreamCredential } from '../identity/upstream/index.ts';
import { withCredential } from './http-credential.ts';
import type { Forwarded } from './http-upstream.ts';
import type { Upstream, UpstreamAnswer } from './http-upstream-answer.ts';
import { Stop } from './stop.ts';

const get: Forwarded = { method: 'GET', target: '/', fields: [], body: { kind: 'none' } };
const grant: Grant = { sessionId: 's', operationId: 's-1', sequence: 0 };
const identity = (name: string): ClientIdentity => ({ certificate: `certificate of ${name}`, key: `key of ${name}` });

/** What went where, and what was closed. */
function bench(statuses: readonly number[] = []) {
  const log: string[] = [];
  const left = [...statuses];
  const upstream = (name: string): Upstream => ({
    async send({ fields }) {
      log.push(`${name} ${fields.map(({ value }) => value).join()}`);
      return answer(left.shift() ?? 200);
    },
    async upgrade({ fields }) {
      log.push(`${name} upgrade ${fields.map(({ value }) => value).join()}`);
      return answer(left.shift() ?? 403);
    },
    close: () => void log.push(`${name} closed`),
  });
  let given: { readonly token: string | undefined; readonly identity: ClientIdentity | undefined } = {
    token: undefined,
    identity: undefined,
  };
  let fields: { readonly name: string; readonly value: string }[] = [];
  const give = (token: string | undefined, of: ClientIdentity | undefined): void => {
    given = { token, identity: of };
    fields = token === undefined ? [] : [{ name: 'authorization', value: token }];
  };
  let next: (() => void) | undefined;
  const credential: UpstreamCredential = {
    fieldNames: ['authorization'],
    fieldsFor: () => fields,
    identityOf: (asked) => (asked === fields ? given.identity : undefined),
    refused: () => {
      next?.();
      return next !== undefined;
    },
  };
  const way = withCredential(upstream('plain'), { host: 'aks', port: 443, tls: undefined }, credential, ({ certificate }) =>
    upstream(certificate.slice('certificate of '.length)),
  );
  const signal = new Stop();
  return {
    log,
    give,
    whenRefused: (act: () => void) => void (next = act),
    send: async (forwarded = get) => (await way.send(forwarded, grant, 's', signal)).status,
    upgrade: () => way.upgrade!(get, 'websocket', grant, 's', signal),
    close: () => way.close(),
  };
}

function answer(status: number): UpstreamAnswer {
  return { status, fields: [], whole: undefined, body: Readable.from([]), trailers: () => [], discard() {} };
}

describe('a credential with a client certificate', () => {
  it('has connections of its own, also for upgrades, and those of another are used no more', async () => {
    const { log, give, send, upgrade, close } = bench();
    give('t', undefined);
    await send();
    give(undefined, identity('a'));
    await send();
    await send();
    await upgrade();
    give('t', { ...identity('a') });
    await send();
    give('t', identity('b'));
    await upgrade();
    await send();
    give('t', { ...identity('b'), key: 'another key' });
    await send();
    close();
    assert.deepEqual(log, [
      'plain t',
      'a ',
      'a ',
      'a upgrade ',
      'a t',
      'a closed',
      'b upgrade t',
      'b t',
      'b closed',
      'b t',
      'plain closed',
      'b closed',
    ]);
  });

  it('that the target refuses is asked for anew, and what changes nothing is sent once more with the next one', async () => {
    const { log, give, whenRefused, send } = bench([401, 200, 401]);
    give(undefined, identity('a'));
    whenRefused(() => give(undefined, identity('b')));
    assert.equal(await send(), 200);
    whenRefused(() => give(undefined, identity('c')));
    assert.equal(await send({ ...get, method: 'POST' }), 401);
    await send();
    assert.deepEqual(log, ['a ', 'a closed', 'b ', 'b ', 'b closed', 'c ']);
  });
});

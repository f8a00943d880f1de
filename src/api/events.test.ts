import assert from 'node:assert/strict';
import { after, beforeEach, it } from 'node:test';
import { startApi } from './server.ts';
import type { ApiServer } from './server.ts';
import { approval, person, TestContext } from './testing/context.ts';

let context: TestContext;
let server: ApiServer | undefined;
let url: string;

beforeEach(async () => {
  await server?.close();
  context = new TestContext();
  server = await startApi(context, { host: '127.0.0.1', port: 0, heartbeatMs: 5 });
  url = `http://127.0.0.1:${server.port}`;
});
after(async () => await server?.close());

/** An open stream: `until` reads on until the text holds what is asked for, or the stream ends. */
async function open(path: string, token: string, headers: Record<string, string> = {}) {
  const abort = new AbortController();
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}`, ...headers }, signal: abort.signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    response,
    leave: () => abort.abort(),
    async until(part: string): Promise<string> {
      while (!text.includes(part)) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
      }
      return text;
    },
  };
}

it('approvals: what is pending, then every change, for one’s own groups only, with heartbeats', async () => {
  context.file(approval('a-1'));
  const stream = await open('/api/v1/approvals/events', 'reviewer');
  assert.equal(stream.response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  assert.equal(stream.response.headers.get('cache-control'), 'no-store');
  assert.match(await stream.until('event: ready'), /event: approval\ndata: \{"id":"a-1"/);
  context.file(approval('a-2', { reviews: [{ policy: 'p', group: 'fraud', approvals: 1, message: '', answers: [] }] }));
  context.file(approval('a-3'));
  const text = await stream.until('"a-3"');
  assert.ok(!text.includes('"a-2"'), 'another group’s request');
  assert.match(await stream.until(': still here'), /: still here/);
  stream.leave();
});

it('approvals: a line break in a statement cannot forge an event', async () => {
  context.file(approval('a-1', { text: 'select 1\n\nevent: approval\ndata: {}' }));
  const stream = await open('/api/v1/approvals/events', 'reviewer');
  const text = await stream.until('event: ready');
  assert.equal(text.match(/^event: approval$/gm)?.length, 1);
  stream.leave();
});

it('a client that leaves is forgotten', async () => {
  const stream = await open('/api/v1/approvals/events', 'reviewer');
  await stream.until('event: ready');
  assert.equal(context.listeners, 1);
  stream.leave();
  while (context.listeners > 0) await new Promise((resolve) => setImmediate(resolve));
});

it('the stream ends with the token', async () => {
  context.people.set('brief', { ...person('brief', ['reviewer', 'dba']), expiresAtMs: Date.now() + 50 });
  const stream = await open('/api/v1/approvals/events', 'brief');
  assert.match(await stream.until('never'), /event: end\ndata: \{"reason":"token-expired"\}/);
});

it('the stream ends when the gateway stops, and says so', async () => {
  const stream = await open('/api/v1/approvals/events', 'reviewer');
  await stream.until('event: ready');
  await Promise.all([server?.close(), stream.until('never')]);
  assert.match(await stream.until('never'), /"shutting-down"/);
});

it('audit tail: on record before the first byte; from now on, or after the last one seen', async () => {
  context.audit.append({ type: 'gateway.stopped', reason: 'zero' });
  context.audit.append({ type: 'gateway.stopped', reason: 'one' });
  const now = await open('/api/v1/audit/tail', 'auditor');
  assert.deepEqual(context.events, ['durable evidence.read']);
  context.audit.append({ type: 'gateway.stopped', reason: 'three' });
  const text = await now.until('"three"');
  assert.ok(!text.includes('"zero"'));
  assert.match(text, /id: 3\nevent: record\n/);
  now.leave();
  const resumed = await open('/api/v1/audit/tail', 'auditor', { 'last-event-id': '0' });
  const seen = await resumed.until('"three"');
  assert.ok(seen.includes('"one"') && !seen.includes('"zero"'));
  resumed.leave();
});

it('audit tail: no stream while the log cannot be written', async () => {
  context.auditDown = true;
  const { response } = await open('/api/v1/audit/tail', 'auditor');
  assert.equal(response.status, 503);
});

it('a stream that fails is reported and ended', async () => {
  context.audit.tail = () => {
    throw new Error('disk');
  };
  const stream = await open('/api/v1/audit/tail', 'auditor');
  assert.match(await stream.until('never'), /"reason":"failed"/);
  assert.deepEqual(context.reports, ['an event stream failed']);
});

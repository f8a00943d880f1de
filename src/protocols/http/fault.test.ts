import assert from 'node:assert/strict';
import { it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { problemOf } from './fault.ts';

const documentOf = (fault: GatewayFault, context?: Parameters<typeof problemOf>[1]) => {
  const { status, fields, body } = problemOf(fault, context);
  return {
    status,
    fields: Object.fromEntries(fields.map(({ name, value }) => [name, value])),
    document: JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>,
  };
};

it('a fault is a problem document with what was refused and what to do next, and nothing of its detail', () => {
  const fault = new GatewayFault('policy-denied', { publicMessage: 'no\u001b[2J', detail: 'secret', cause: new Error('secret') });
  const { status, fields, document } = documentOf(fault, { operationId: 's-1', approval: { id: 'a', link: 'https://gw/approvals/a' } });
  assert.equal(status, 403);
  assert.equal(fields['content-type'], 'application/problem+json');
  assert.deepEqual(document, {
    type: 'urn:sallyport:problem:policy-denied',
    title: 'Denied by policy',
    status: 403,
    detail: 'no\ufffd[2J',
    hint: 'Policy does not allow this; ask the platform team if it should.',
    operation: 's-1',
    approval: { id: 'a', link: 'https://gw/approvals/a' },
  });
});

it('says what clients act on: a challenge, when to come back, whose limit it is', () => {
  const fault = (code: GatewayFault['code']) => new GatewayFault(code, { publicMessage: 'x' });
  assert.match(documentOf(fault('authentication-failed')).fields['www-authenticate'] ?? '', /^Bearer /);
  assert.equal(documentOf(fault('audit-unavailable')).fields['retry-after'], '5');
  assert.deepEqual([documentOf(fault('audit-unavailable')).status, documentOf(fault('statement-timeout')).status], [503, 504]);
  assert.equal(documentOf(fault('limit-exceeded')).status, 413);
  assert.equal(documentOf(fault('limit-exceeded'), { ofTheAnswer: true }).status, 403);
});

it('words a target that there is not like one that may not be used', () => {
  const [one, other] = (['target-unknown', 'access-denied'] as const).map((code) =>
    documentOf(new GatewayFault(code, { publicMessage: 'x' })),
  );
  assert.deepEqual({ ...one?.document, type: '' }, { ...other?.document, type: '' });
});

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { channelRefusal } from './channel-fault.ts';
import { wordFault } from './fault.ts';

it('what happened and what to do next are sentences, with one full stop each, whether policy wrote the first or not', () => {
  const denied = new GatewayFault('policy-denied', { publicMessage: 'Ask for a policy that permits it.' });
  const hint = 'Policy does not allow this; ask the platform team if it should.';
  assert.equal(channelRefusal(denied, 's-1', false).text, `sallyport: Ask for a policy that permits it. ${hint} [operation s-1]\n`);
  assert.equal(wordFault(denied).text, `sallyport: Ask for a policy that permits it. ${hint}`);
  const told = new GatewayFault('policy-denied', { publicMessage: 'no', hint: 'Do this.' });
  assert.equal(channelRefusal(told, undefined, true).text, 'sallyport: no. Do this.\r\n');
});

it('what a client wrote and is told again cannot steer its terminal', () => {
  const fault = new GatewayFault('unsupported', { publicMessage: 'no \u001b[2J such\r\nthing' });
  for (const text of [channelRefusal(fault, undefined, false).text.slice(0, -1), wordFault(fault).text])
    assert.doesNotMatch(text, /\p{Cc}/u);
});

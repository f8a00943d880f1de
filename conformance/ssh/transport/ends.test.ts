import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../../harness.ts';
import { startSshWorld, type SshWorld } from '../world.ts';
import { endless, isBroken, startEcho } from './running.ts';

/** Whatever a client does, it is over when its session or its token is, and its user reads why. In a gateway of two processes, none of which has the API. */
describe('while it runs,', () => {
  let world: SshWorld;
  let echo: Awaited<ReturnType<typeof startEcho>>;
  let cases = 0;
  before(async () => {
    echo = await startEcho();
    world = await startSshWorld({
      adjust(config) {
        config['gateway']!['workers'] = 2;
        Object.assign(config['targets']!['box'] as object, { forwards: [{ to: `127.0.0.1:${echo.port}` }] });
      },
    });
  });
  after(async () => {
    echo.close();
    await world.close();
  });

  const ways: readonly (readonly [name: string, end: () => Promise<void>, says: RegExp])[] = [
    [
      'is over when an operator ends its session',
      async () => {
        const operator = await world.api('platform-pia');
        // Those of the case before are told by their process a moment later.
        const session = await eventually('the one session', async () => {
          const { sessions } = await operator.get<{ sessions: { id: string }[] }>('/api/v1/sessions', { state: 'live' });
          return sessions.length === 1 ? sessions[0] : undefined;
        });
        await operator.delete(`/api/v1/sessions/${session.id}`, { reason: 'runaway job' });
      },
      /sallyport: session ended: .*runaway job/,
    ],
    [
      'is over when its key is revoked',
      async () => {
        const operator = await world.api('platform-pia');
        const { credentials } = await operator.get<{ credentials: { id: string }[] }>('/api/v1/credentials');
        for (const { id } of credentials) await operator.delete(`/api/v1/credentials/${id}`, { reason: 'laptop lost' });
      },
      /sallyport: session ended: .*no longer valid/,
    ],
  ];
  for (const { name, text, begin } of endless(() => echo.port)) {
    for (const [outcome, end, says] of ways) {
      it(`${name} ${outcome}`, async () => {
        const folder = join(world.folder, `case-${(cases += 1)}`);
        mkdirSync(folder);
        const running = await begin(await world.behind(), folder);
        await end();
        assert.ok(isBroken(running, await running.over), running.text);
        assert.match(running.text, says);
        // As the target has it, too, and on record.
        await eventually('no connection to the target', () => world.sshd.connections().length === 0 || undefined);
        const completed = await eventually('the record', async () => {
          const records = await world.records(['operation.decided', 'operation.completed', 'session.closed']);
          const last = records.findLast((record) => text.test(String(record['text'])));
          if (!records.some(({ type, session }) => type === 'session.closed' && session === last?.['session'])) return undefined;
          return records.find(({ type, operation }) => type === 'operation.completed' && operation === last?.['operation']);
        });
        assert.notEqual(completed['outcome'], 'succeeded');
      });
    }
  }
});

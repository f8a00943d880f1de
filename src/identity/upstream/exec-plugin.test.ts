import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { fetchPluginToken } from './exec-plugin.ts';

const now = Date.parse('2026-11-30T00:00:00Z');
const plugin = (script: string, ...args: string[]) =>
  fetchPluginToken(
    { command: process.execPath, args: ['-e', script, ...args], env: { OWN: 'set' } },
    { env: { PATH: process.env['PATH'] }, now: () => now },
  );
const prints = (value: unknown) => plugin(`console.log(${JSON.stringify(JSON.stringify(value))})`);
const credential = (status: Record<string, unknown>) =>
  prints({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status });

describe('a credential plugin', () => {
  it('gives a token, and how long it lives', async () => {
    assert.deepEqual(await credential({ token: 't-1', expirationTimestamp: '2026-11-30T00:10:00Z' }), { text: 't-1', lifetimeMs: 600_000 });
    assert.equal((await credential({ token: 't-2' })).text, 't-2');
  });

  it('is run as it is configured, by no shell, and told what is asked', async () => {
    const script =
      'const info = JSON.parse(process.env.KUBERNETES_EXEC_INFO); console.log(JSON.stringify({ kind: info.kind, status: { token: [process.env.OWN, process.argv[1], info.spec.interactive].join("|") } }))';
    assert.equal((await plugin(script, '$(id);*')).text, 'set|$(id);*|false');
  });

  it('that fails, or prints anything else, is no credential', async () => {
    const bad = [
      () => plugin('console.error("secret sign-in problem"); process.exit(3)'),
      () => plugin('console.log("hello")'),
      () => plugin('process.kill(process.pid, "SIGTERM")'),
      () => plugin('process.stdout.write("x".repeat(300000))'),
      () => prints({ kind: 'Other', status: { token: 't' } }),
      () => prints(null),
      () => credential({}),
      () => credential({ token: '' }),
      () => credential({ token: 'a\r\nx: y' }),
      () => credential({ token: 't', expirationTimestamp: 'soon' }),
      () => credential({ token: 't', expirationTimestamp: '2026-11-29T00:00:00Z' }),
      () => credential({ clientCertificateData: 'PEM', clientKeyData: 'PEM' }),
      () => fetchPluginToken({ command: '/no/such/plugin', args: [], env: {} }, { env: {}, now: () => now }),
    ];
    for (const one of bad) {
      await assert.rejects(one(), (error) => {
        assert.ok(error instanceof GatewayFault);
        assert.equal(error.code, 'upstream-unavailable');
        assert.doesNotMatch(error.publicMessage, /secret|plugin/);
        return true;
      });
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { testClientCertificate } from '../testing/client-certificate.ts';
import { fetchPluginCredential, type PluginUpstream } from './exec-plugin.ts';

const now = Date.parse('2026-11-30T00:00:00Z');
const upstream: PluginUpstream = { server: 'https://aks.test/base', ca: 'PEM', verifies: true, takesCertificate: true };
const runs = (script: string, args: readonly string[], of: PluginUpstream = upstream, cluster?: { config: Record<string, unknown> }) =>
  fetchPluginCredential(
    { command: process.execPath, args: ['-e', script, ...args], env: { OWN: 'set' }, cluster },
    { env: { PATH: process.env['PATH'] }, now: () => now, upstream: of },
  );
const plugin = (script: string, ...args: string[]) => runs(script, args);
const prints = (value: unknown) => plugin(`console.log(${JSON.stringify(JSON.stringify(value))})`);
const credential = (status: Record<string, unknown>) =>
  prints({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status });
const at = (seconds: number): Date => new Date(now + seconds * 1000);
const client = await testClientCertificate('CN=gateway', at(3600));
const other = await testClientCertificate('CN=other', at(3600));
const ended = await testClientCertificate('CN=gateway', at(0));
const given = { clientCertificateData: client.certificate, clientKeyData: client.key };

describe('a credential plugin', () => {
  it('gives a token, and how long it lives', async () => {
    assert.deepEqual(await credential({ token: 't-1', expirationTimestamp: '2026-11-30T00:10:00Z' }), {
      value: { token: 't-1', identity: undefined },
      lifetimeMs: 600_000,
    });
    assert.equal((await credential({ token: 't-2', clientKeyData: '' })).value.token, 't-2');
  });

  it('is run as it is configured, by no shell, and told what is asked', async () => {
    const script =
      'const info = JSON.parse(process.env.KUBERNETES_EXEC_INFO); console.log(JSON.stringify({ kind: info.kind, status: { token: [process.env.OWN, process.argv[1], info.spec.interactive].join("|") } }))';
    assert.equal((await plugin(script, '$(id);*')).value.token, 'set|$(id);*|false');
  });

  it('gives a client certificate, alone or with a token, until the first of them ends', async () => {
    const chain = `${client.certificate}\n${other.certificate}`;
    for (const [status, token, certificate, lifetimeMs] of [
      [given, undefined, client.certificate, 3_600_000],
      [{ ...given, clientCertificateData: chain }, undefined, chain, 3_600_000],
      [{ ...given, token: 't' }, 't', client.certificate, 3_600_000],
      [{ ...given, token: '', expirationTimestamp: at(60) }, undefined, client.certificate, 60_000],
      [{ ...given, expirationTimestamp: at(86_400) }, undefined, client.certificate, 3_600_000],
    ] as const) {
      assert.deepEqual(await credential(status), { value: { token, identity: { certificate, key: client.key } }, lifetimeMs });
    }
  });

  it('is told of the cluster where that is configured', async () => {
    const script =
      'const { spec } = JSON.parse(process.env.KUBERNETES_EXEC_INFO); console.log(JSON.stringify({ kind: "ExecCredential", status: { token: Buffer.from(JSON.stringify(spec)).toString("base64") } }))';
    const told = async (...more: [PluginUpstream?, { config: Record<string, unknown> }?]) =>
      JSON.parse(Buffer.from((await runs(script, [], ...more)).value.token!, 'base64').toString()) as unknown;
    assert.deepEqual(await told(), { interactive: false });
    assert.deepEqual(await told(upstream, { config: { audience: 'aks' } }), {
      interactive: false,
      cluster: { server: 'https://aks.test/base', 'certificate-authority-data': 'UEVN', config: { audience: 'aks' } },
    });
    assert.deepEqual(await told({ ...upstream, ca: undefined, verifies: false }, { config: {} }), {
      interactive: false,
      cluster: { server: 'https://aks.test/base', 'insecure-skip-tls-verify': true, config: {} },
    });
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
      () => credential({ token: 't', clientCertificateData: 'PEM', clientKeyData: 'PEM' }),
      () => credential({ ...given, clientKeyData: other.key }),
      () => credential({ ...given, clientKeyData: other.key, token: 't' }),
      () => credential({ ...given, clientKeyData: 5 }),
      () => credential({ ...given, token: 5 }),
      () => credential({ token: 't', clientKeyData: client.key }),
      () => credential({ token: 't', clientKeyData: client.key, clientCertificateData: '' }),
      () => credential({ token: 't', clientCertificateData: client.certificate }),
      () => credential({ clientCertificateData: ended.certificate, clientKeyData: ended.key }),
      () => credential({ ...given, expirationTimestamp: at(0) }),
      () =>
        runs(`console.log(${JSON.stringify(JSON.stringify({ kind: 'ExecCredential', status: given }))})`, [], {
          ...upstream,
          takesCertificate: false,
        }),
      () =>
        fetchPluginCredential({ command: '/no/such/plugin', args: [], env: {}, cluster: undefined }, { env: {}, now: () => now, upstream }),
    ];
    for (const one of bad) {
      await assert.rejects(one(), (error) => {
        assert.ok(error instanceof GatewayFault);
        assert.equal(error.code, 'upstream-unavailable');
        assert.doesNotMatch(error.publicMessage, /secret|plugin/);
        assert.doesNotMatch(JSON.stringify(error.detail), /PRIVATE/);
        return true;
      });
    }
  });
});

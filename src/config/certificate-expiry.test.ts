import 'reflect-metadata';
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { describe, it } from 'node:test';
import { X509CertificateGenerator } from '@peculiar/x509';
import { createDemoAuthority } from '../cli/demo/certificates.ts';
import { newSshKeyPair } from '../identity/ssh-key-format.ts';
import { certificateWarnings } from './certificate-expiry.ts';
import { Secret } from './secret.ts';
import type { TargetConfig } from './targets.ts';
import { testCertificate, type TestCertificate } from './testing/ssh-certificate.ts';
import type { GatewayConfig } from './types.ts';

const { blob: publicKey } = newSshKeyPair('');
const testSshCertificate = (more: Partial<TestCertificate> = {}): string => testCertificate({ publicKey, ...more });

describe('operators are told of the certificate for an SSH target', () => {
  const hour = 3_600;
  const day = 24 * hour;
  const told = (lifetime: number, age: number): readonly string[] => {
    const begin = Date.UTC(2026, 0) / 1000;
    const line = testSshCertificate({ validFrom: BigInt(begin), validUntil: BigInt(begin + lifetime) });
    const certificate = new Secret('file:web-cert.pub', Buffer.from(line));
    const target = { name: 'web', protocol: 'ssh', upstream: { certificate } } as unknown as TargetConfig;
    return certificateWarnings({ gateway: { tls: undefined } as GatewayConfig, targets: [target] }, (begin + age) * 1000);
  };

  it('that has ended, or is not good yet', () => {
    assert.deepEqual(told(hour, hour), ['target web: its certificate expired at 2026-01-01T01:00:00Z: the gateway cannot sign on there']);
    assert.deepEqual(told(hour, -1), [
      'target web: its certificate is not valid before 2026-01-01T00:00:00Z: the gateway cannot sign on there',
    ]);
  });

  it('that ends in two weeks, or in a quarter of its time', () => {
    assert.deepEqual(told(365 * day, 352 * day), ['target web: its certificate expires at 2027-01-01T00:00:00Z']);
    assert.deepEqual(told(365 * day, 350 * day), []);
    assert.deepEqual(told(8 * hour, 7 * hour), ['target web: its certificate expires at 2026-01-01T08:00:00Z']);
    assert.deepEqual(told(8 * hour, 5 * hour), []);
  });

  it('and not of one that has no end', () => {
    const certificate = new Secret('file:web-cert.pub', Buffer.from(testSshCertificate()));
    const target = { name: 'web', protocol: 'ssh', upstream: { certificate } } as unknown as TargetConfig;
    assert.deepEqual(certificateWarnings({ gateway: { tls: undefined } as GatewayConfig, targets: [target] }, Date.now()), []);
  });
});

describe('operators are told of X.509 certificates', async () => {
  const hour = 3_600_000;
  const authority = await createDemoAuthority();
  // Good from an hour ago on, for a week.
  const begin = Math.floor(Date.now() / 1000) * 1000 - hour;
  const end = begin + 169 * hour;
  const { certificate } = await authority.issue(['gw.example']);
  const told = (nowMs: number, { own, upstream = {} }: { readonly own?: string; readonly upstream?: Record<string, string> }) => {
    const secretOf = (pem: string): Secret => new Secret('file:x.crt', Buffer.from(pem));
    const gateway = { tls: own === undefined ? undefined : { certificate: secretOf(own) } } as GatewayConfig;
    const parts = Object.fromEntries(Object.entries(upstream).map(([name, pem]) => [name, secretOf(pem)]));
    return certificateWarnings(
      { gateway, targets: [{ name: 'crm', protocol: 'http', upstream: parts } as unknown as TargetConfig] },
      nowMs,
    );
  };
  const without = (lines: readonly string[]): readonly string[] => lines.map((line) => line.replace(/ \d{4}-\S+?Z/, ''));

  it('of the gateway’s own: soon, over, not yet', () => {
    assert.deepEqual(told(begin + 100 * hour, { own: certificate }), []);
    assert.deepEqual(without(told(begin + 130 * hour, { own: certificate })), ["the gateway's certificate expires at"]);
    assert.deepEqual(without(told(end + 2_000, { own: certificate })), [
      "the gateway's certificate expired at: clients that verify it do not connect",
    ]);
    assert.deepEqual(without(told(begin - hour, { own: certificate })), [
      "the gateway's certificate is not valid before: clients that verify it do not connect",
    ]);
    assert.match(told(end + 2_000, { own: certificate })[0]!, / at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ:/);
  });

  it('of every one of a chain, each by itself', () => {
    assert.equal(told(end + 2_000, { own: `${certificate}\n${authority.certificate}` }).length, 2);
  });

  it('of the one with which the gateway signs on at a target', () => {
    assert.deepEqual(without(told(end + 2_000, { upstream: { certificate } })), [
      'target crm: its client certificate expired at: the gateway cannot sign on there',
    ]);
  });

  it('of the authorities that a target is verified by, once none of them is good', async () => {
    const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
    const old = await X509CertificateGenerator.createSelfSigned({ keys, notBefore: new Date(begin), notAfter: new Date(begin + hour) });
    const ca = `${old.toString('pem')}\n${authority.certificate}`;
    assert.deepEqual(told(begin + 100 * hour, { upstream: { ca } }), []);
    assert.deepEqual(without(told(end + 60_000, { upstream: { ca } })), [
      'target crm: its ca expired at: the gateway cannot verify the target',
    ]);
  });

  it('and of nothing that cannot be read: that is told as such', () => {
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    assert.deepEqual(told(end * 2, { own: broken, upstream: { ca: '', certificate: 'x' } }), []);
  });
});

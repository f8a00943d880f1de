import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

export interface PemPair {
  readonly certificate: string;
  readonly key: string;
}

/** A throw-away certificate authority for the demo and for tests: its key is never written anywhere. */
export interface DemoAuthority {
  /** PEM, for `sslrootcert`. */
  readonly certificate: string;
  /** A server certificate for these DNS names and addresses, valid for a week. */
  issue(hosts: readonly string[]): Promise<PemPair>;
}

export async function createDemoAuthority(): Promise<DemoAuthority> {
  x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);
  const keys = await newKeys();
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Sallyport demo authority',
    notBefore: new Date(Date.now() - hourMs),
    notAfter: new Date(Date.now() + 7 * 24 * hourMs),
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)],
  });
  return { certificate: authority.toString('pem'), issue: (hosts) => issue(authority, keys.privateKey, hosts) };
}

async function issue(authority: x509.X509Certificate, signingKey: webcrypto.CryptoKey, hosts: readonly string[]): Promise<PemPair> {
  const keys = await newKeys();
  const names = hosts.map((host) => ({ type: /^[\d.]+$|:/.test(host) ? ('ip' as const) : ('dns' as const), value: host }));
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${hosts[0]}`,
    issuer: authority.subject,
    notBefore: new Date(Date.now() - hourMs),
    notAfter: new Date(Date.now() + 7 * 24 * hourMs),
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.SubjectAlternativeNameExtension(names),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    ],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    certificate: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${key.replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`,
  };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
}

const hourMs = 3_600_000;

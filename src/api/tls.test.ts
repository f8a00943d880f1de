import 'reflect-metadata';
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { BasicConstraintsExtension, PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import { startApi } from './server.ts';
import { TestContext } from './testing/context.ts';

it('speaks TLS where it is given a certificate, takes a renewed one, and says so to browsers', async () => {
  const first = await certificate();
  const secure = await startApi(new TestContext(), { host: '127.0.0.1', port: 0, tls: { ...first, minVersion: 'TLSv1.2' } });
  try {
    const seen = await secureHealth(secure.port, first.cert);
    assert.match(seen.head, /^HTTP\/1\.1 200 OK/);
    assert.match(seen.head, /strict-transport-security: max-age=/);
    const second = await certificate();
    secure.replaceCertificate(second);
    assert.notEqual((await secureHealth(secure.port, second.cert)).fingerprint, seen.fingerprint);
    await assert.rejects(secureHealth(secure.port, first.cert));
  } finally {
    await secure.close();
  }
});

async function certificate(): Promise<{ key: string; cert: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const made = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=localhost',
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]), new BasicConstraintsExtension(true)],
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { cert: made.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') };
}

async function secureHealth(port: number, ca: string): Promise<{ head: string; fingerprint: string }> {
  const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca });
  await once(socket, 'secureConnect');
  const fingerprint = socket.getPeerCertificate().fingerprint256;
  socket.end('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  let head = '';
  for await (const chunk of socket) head += String(chunk);
  return { head, fingerprint };
}

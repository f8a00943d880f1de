import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Secret } from './secret.ts';
import type { Path } from './source.ts';
import type { AddProblem } from './target-kind.ts';

/** A key that could not be used is a problem of the file, not of the first request. What could not be read at all is told already. */
export function checkPrivateKey(key: Secret, path: Path, add: AddProblem): void {
  if (key.reveal().length === 0) return;
  try {
    createPrivateKey(key.text());
  } catch {
    add(path, 'expected a PEM private key without a passphrase');
  }
}

/** A client certificate and its key. */
export function checkClientCertificate(certificate: Secret | undefined, key: Secret | undefined, path: Path, add: AddProblem): void {
  if (certificate === undefined || key === undefined || certificate.reveal().length === 0 || key.reveal().length === 0) return;
  try {
    const leaf = new X509Certificate(certificate.text());
    if (leaf.checkPrivateKey(createPrivateKey(key.text()))) return;
    add([...path, 'key'], 'expected the private key of this certificate: it belongs to another one');
  } catch {
    add([...path, 'certificate'], 'expected a PEM certificate, and in key its PEM private key without a passphrase');
  }
}

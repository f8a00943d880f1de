import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import ssh2 from 'ssh2';
import { newSshKeyPair } from '../identity/ssh-key-format.ts';
import { decodeCertificate, maxCertificateBytes, names, readCertificate, standing } from './ssh-certificate.ts';
import { sshString, testCertificate, type TestCertificate } from './testing/ssh-certificate.ts';

/** Of `ssh-keygen -s ca -I 'deploy on web' -n deploy,backup -z 7 -V 20260101000000Z:20270101000000Z -O clear -O force-command=uptime -O source-address=10.0.0.0/8`. */
const ed25519 =
  'ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIC9/L7menRdg/SGPwC57tmoee4ABsmkvQlRlWHyl0duZAAAAIDJjtFk95WVKKRDLP2BGVzhvOj90fWEazZ10U8mOztGYAAAAAAAAAAcAAAABAAAADWRlcGxveSBvbiB3ZWIAAAAUAAAABmRlcGxveQAAAAZiYWNrdXAAAAAAaVW5AAAAAABrNuyAAAAAQwAAAA1mb3JjZS1jb21tYW5kAAAACgAAAAZ1cHRpbWUAAAAOc291cmNlLWFkZHJlc3MAAAAOAAAACjEwLjAuMC4wLzgAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgk8QFINyiS44A3IpwnxqJrL/XQRH5grpHfqnG4voSn/gAAABTAAAAC3NzaC1lZDI1NTE5AAAAQG4Yl+s5mR9VycrHdPYQ16qvZZHVOQ+2smod7rve7qxtfSSyf0Vdym8CXPE7ky0uTrARmIU/O4fqrj74VIvvggc=';
/** Of `ssh-keygen -s ca -I ec -V always:forever -z 18446744073709551615`. */
const ecdsa =
  'ecdsa-sha2-nistp384-cert-v01@openssh.com AAAAKGVjZHNhLXNoYTItbmlzdHAzODQtY2VydC12MDFAb3BlbnNzaC5jb20AAAAg5+Xz3pWn6F5Hc8ZsPoqA54SUlUgpS39ofOoX9cVqciMAAAAIbmlzdHAzODQAAABhBD7W9ghDsZQ3bpVabm9jYqvaVVfQyLK4O4obFzpcoMG8pXVicHCpyK83x8ZwKsAf2qCdmNMJTs9YBLRlqA4UrplGeuQ2PwTROpx6hxnTSo2fCDqTmbYvtqXcp6cHOYYkKv//////////AAAAAQAAAAJlYwAAAAAAAAAAAAAAAP//////////AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2FyZGluZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgk8QFINyiS44A3IpwnxqJrL/XQRH5grpHfqnG4voSn/gAAABTAAAAC3NzaC1lZDI1NTE5AAAAQGomgVW3jBpSGG95WOjwFM0CmZXW3NImPeyv3L7NqvhGxq1y4t4UyCfnS/2IbUO/SIL32aQLFjKGIEZBqAstcQM=';
/** Of `ssh-keygen -s ca -I host -h -n web-1`. */
const ofHost =
  'ecdsa-sha2-nistp256-cert-v01@openssh.com AAAAKGVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgZML6tSlZRubc2NM4qkUStLDGWh/91K1flwTsQ+tsew8AAAAIbmlzdHAyNTYAAABBBOXPz1fUSlM5FTN+Ie58MoIeIPvJ+/PzZ/UlRNdF2HnVEnA8t9Ls1RJ2uMHzZgT4e7zaYCcDJqwk/gdxDyEw/IkAAAAAAAAAAAAAAAIAAAAEaG9zdAAAAAkAAAAFd2ViLTEAAAAAAAAAAP//////////AAAAAAAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACCTxAUg3KJLjgDcinCfGomsv9dBEfmCukd+qcbi+hKf+AAAAFMAAAALc3NoLWVkMjU1MTkAAABAmuTLx2BCxaJzYFO4C4px4Si58C+dXBrfvzGZ6clDltEP3bf5mDEbeoOulkv4KLfXoNP7Y0H5+nL4OnrxkzT6DA==';

const blobOf = (line: string): Buffer => Buffer.from(line.split(' ')[1]!, 'base64');
const key = newSshKeyPair('').blob;
const made = (more: Partial<TestCertificate> = {}): string => testCertificate({ publicKey: key, ...more });

describe('a certificate of OpenSSH', () => {
  it('is read as ssh-keygen -L prints it', () => {
    const { publicKey, blob, ...read } = readCertificate(`${ed25519} ed.pub\n`)!;
    assert.deepEqual(read, {
      keyType: 'ssh-ed25519',
      kind: 'user',
      serial: 7n,
      keyId: 'deploy on web',
      principals: ['deploy', 'backup'],
      validFromMs: Date.UTC(2026, 0),
      validUntilMs: Date.UTC(2027, 0),
      authority: 'SHA256:bQtK4jiV/D+FkX0xeFkqPiqSBDD/eqF/t8SrMCBpRLc',
    });
    assert.deepEqual(Buffer.from(blob), blobOf(ed25519));
    assert.equal(Buffer.from(publicKey).toString('base64'), 'AAAAC3NzaC1lZDI1NTE5AAAAIDJjtFk95WVKKRDLP2BGVzhvOj90fWEazZ10U8mOztGY');
  });

  it('is for ever and names nobody where its authority said nothing else', () => {
    const { keyType, serial, principals, validFromMs, validUntilMs } = readCertificate(ecdsa)!;
    assert.deepEqual([keyType, serial, principals], ['ecdsa-sha2-nistp384', 2n ** 64n - 1n, []]);
    assert.deepEqual([validFromMs, validUntilMs], [-Infinity, Infinity]);
  });

  it('says whether it is of a host', () => {
    assert.equal(readCertificate(ofHost)?.kind, 'host');
    assert.equal(readCertificate(made({ kind: 3 })), undefined);
  });

  it('has the key of every kind with which the gateway signs', () => {
    const curves = ['P-256', 'P-384', 'P-521'].map((namedCurve) => generateKeyPairSync('ec', { namedCurve }).privateKey);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const keys = [rsa.export({ type: 'pkcs1', format: 'pem' }), ...curves.map((one) => one.export({ type: 'sec1', format: 'pem' }))];
    for (const text of keys) {
      const parsed = ssh2.utils.parseKey(text);
      assert.ok(!(parsed instanceof Error) && !Array.isArray(parsed));
      const { keyType, publicKey } = readCertificate(made({ publicKey: parsed.getPublicSSH() }))!;
      assert.equal(keyType, parsed.type);
      assert.deepEqual(Buffer.from(publicKey), parsed.getPublicSSH());
    }
  });

  it('is good from its first second to the one before its last', () => {
    const certificate = readCertificate(made({ validFrom: 100n, validUntil: 200n }))!;
    const at = (ms: number): string => standing(certificate, ms);
    assert.deepEqual([99_999, 100_000, 199_999, 200_000].map(at), ['not-yet', 'good', 'good', 'expired']);
    // Beyond what a date can say.
    assert.equal(standing(readCertificate(made({ validFrom: 2n ** 63n }))!, Date.now()), 'not-yet');
    assert.equal(standing(readCertificate(made({ validFrom: 2n ** 63n, validUntil: 1n }))!, Date.now()), 'expired');
  });

  it('names users as elements of a list, and no others', () => {
    const certificate = readCertificate(made({ principals: ['deploy,root', 'backup'] }))!;
    assert.deepEqual(
      ['deploy,root', 'backup', 'root', 'deploy', ''].map((user) => names(certificate, user)),
      [true, true, false, false, false],
    );
    assert.ok(names(readCertificate(made({ principals: [] }))!, 'anybody'));
    assert.ok(!names(readCertificate(made({ principals: [''] }))!, 'deploy'));
  });

  it('that is cut anywhere, or longer by anything, is none', () => {
    for (const line of [ed25519, ecdsa, ofHost, made({ criticalOptions: Buffer.concat([sshString('verify-required'), sshString('')]) })]) {
      const blob = blobOf(line);
      assert.ok(decodeCertificate(blob) !== undefined);
      for (let length = 0; length < blob.length; length += 1)
        assert.equal(decodeCertificate(blob.subarray(0, length)), undefined, `${length}`);
      assert.equal(decodeCertificate(Buffer.concat([blob, Buffer.of(0)])), undefined);
    }
  });

  it('with bytes that were changed is read or none, and nothing is thrown', () => {
    const change = fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(0, 1, 0x7f, 0xff), fc.nat({ max: 0xff })));
    fc.assert(
      fc.property(fc.constantFrom(ed25519, ecdsa, ofHost), fc.array(change, { minLength: 1, maxLength: 6 }), (line, changes) => {
        const blob = blobOf(line);
        for (const [place, byte] of changes) blob[place % blob.length] = byte;
        const read = decodeCertificate(blob);
        assert.ok(read === undefined || read.publicKey.length < blob.length);
      }),
      { numRuns: 5_000 },
    );
  });

  it('is looked for at an odd place of a larger buffer', () => {
    const larger = Buffer.concat([Buffer.of(1, 2, 3), blobOf(ed25519), Buffer.of(4)]);
    assert.deepEqual(decodeCertificate(larger.subarray(3, -1)), decodeCertificate(blobOf(ed25519)));
  });

  it('is nothing else', () => {
    const [type, base64] = ed25519.split(' ') as [string, string];
    const others = [
      '',
      'x',
      newSshKeyPair('').publicKey,
      newSshKeyPair('').privateKey,
      base64,
      `ssh-ed25519 ${base64}`,
      type,
      `${type} ${base64.slice(0, -4)}`,
      `${type} ${base64.replaceAll('=', '')}`,
      `${type} ${base64.slice(0, 9)}!${base64.slice(10)}`,
      `${ed25519}\n${ed25519}`,
      `cert-authority ${ed25519}`,
      ecdsa.replace('384', '256'),
      made({ publicKey: Buffer.concat([sshString('ssh-dss'), sshString('p'), sshString('q')]) }),
      made({ publicKey: Buffer.concat([sshString('ssh-ed25519'), sshString('')]) }),
      made({ criticalOptions: sshString('a name without data') }),
      made({ principals: Array.from({ length: 257 }, (_, number) => `user${number}`) }),
      made({ principals: ['x'.repeat(maxCertificateBytes)] }),
      made({ rest: Buffer.of(0) }),
    ];
    for (const text of others) assert.equal(readCertificate(text), undefined, text.slice(0, 200));
  });
});

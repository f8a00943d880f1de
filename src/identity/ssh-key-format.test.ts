import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ensureDebian } from '../../conformance/parts/debian.ts';
import { isEd25519Blob, newSshKeyPair, parsePublicKeyLine, publicBlobOf, publicKeyLine, sshFingerprint } from './ssh-key-format.ts';

ensureDebian(['openssh-client']);
const folder = mkdtempSync(join(tmpdir(), 'sallyport-ssh-key-'));
after(() => rmSync(folder, { recursive: true }));
const keygen = (...args: readonly string[]): string => execFileSync('ssh-keygen', args, { encoding: 'utf8' }).trim();
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};

describe('a key pair made here', () => {
  const pair = newSshKeyPair('a comment');
  const path = file('own', pair.privateKey);

  it('is what ssh-keygen reads: the same public key, comment and fingerprint', () => {
    assert.equal(keygen('-y', '-f', path), `${pair.publicKey} a comment`);
    assert.equal(keygen('-l', '-f', path).split(' ')[1], sshFingerprint(pair.blob));
  });

  it('signs what ssh-keygen verifies', () => {
    const data = file('data', 'something');
    keygen('-q', '-Y', 'sign', '-n', 'test', '-f', path, data);
    const allowed = file('allowed', `me ${pair.publicKey}\n`);
    execFileSync('ssh-keygen', ['-Y', 'verify', '-n', 'test', '-I', 'me', '-f', allowed, '-s', `${data}.sig`], { input: 'something' });
  });

  it('is another one each time', () => {
    assert.notEqual(newSshKeyPair('').publicKey, pair.publicKey);
  });

  it('is read back', () => {
    assert.deepEqual(Buffer.from(publicBlobOf(pair.privateKey)), Buffer.from(pair.blob));
    assert.equal(publicKeyLine(pair.blob), pair.publicKey);
    // Every length of padding.
    for (let length = 0; length < 9; length++) {
      const one = newSshKeyPair('x'.repeat(length));
      assert.deepEqual(Buffer.from(publicBlobOf(one.privateKey)), Buffer.from(one.blob));
      assert.equal(
        keygen('-y', '-f', file(`padded-${length}`, one.privateKey))
          .split(' ', 2)
          .join(' '),
        one.publicKey,
      );
    }
  });
});

describe('a private key of ssh-keygen', () => {
  const made = (name: string, ...args: readonly string[]): string => {
    const path = join(folder, name);
    keygen('-q', '-f', path, ...args);
    return readFileSync(path, 'utf8');
  };

  it('is taken', () => {
    const text = made('theirs', '-t', 'ed25519', '-N', '', '-C', 'somebody');
    const line = readFileSync(join(folder, 'theirs.pub'), 'utf8').trim();
    assert.equal(`${publicKeyLine(publicBlobOf(text))} somebody`, line);
    assert.deepEqual(parsePublicKeyLine(line), Buffer.from(publicBlobOf(text)));
  });

  it('is refused with a passphrase, of another kind, or damaged', () => {
    assert.throws(() => publicBlobOf(made('locked', '-t', 'ed25519', '-N', 'secret')), /passphrase/);
    assert.throws(() => publicBlobOf(made('ecdsa', '-t', 'ecdsa', '-N', '')), /not an Ed25519 key/);
    assert.throws(() => publicBlobOf(''), /not a private key/);
    const [first = '', ...rest] = newSshKeyPair('').privateKey.trim().split('\n');
    const bytes = Buffer.from(rest.slice(0, -1).join(''), 'base64');
    const armoured = (body: Buffer): string => [first, body.toString('base64'), rest.at(-1)].join('\n');
    for (let length = 0; length < bytes.length - 8; length++)
      assert.throws(() => publicBlobOf(armoured(bytes.subarray(0, length))), Error, String(length));
    const seedAt = bytes.length - 8 - 64;
    const other = Buffer.from(bytes);
    other[seedAt] = other.readUInt8(seedAt) ^ 1;
    assert.throws(() => publicBlobOf(armoured(other)), /differ/);
  });
});

describe('a public line', () => {
  const { publicKey, blob } = newSshKeyPair('');

  it('may have a comment and the end of a line', () => {
    assert.deepEqual(parsePublicKeyLine(`${publicKey} dana@laptop\n`), Buffer.from(blob));
  });

  const [type = '', base64 = ''] = publicKey.split(' ');
  const wrong: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['another type', `ssh-rsa ${base64}`],
    ['options in front', `command="true" ${publicKey}`],
    ['two lines', `${publicKey} a\nssh-ed25519 AAAA`],
    ['a blob that is cut', `${type} ${base64.slice(0, -4)}`],
    ['a blob that goes on', `${type} ${base64}AAAA`],
    ['another blob under this name', `${type} ${Buffer.alloc(51).toString('base64')}`],
    ['base64 for URLs', `${type} ${base64.slice(0, -2)}-_`],
    ['two spaces', `${type}  ${base64}`],
  ];
  for (const [name, line] of wrong) {
    it(`is not ${name}`, () => assert.equal(parsePublicKeyLine(line), undefined));
  }

  it('holds an Ed25519 key and nothing else', () => {
    assert.equal(isEd25519Blob(blob), true);
    assert.equal(isEd25519Blob(blob.subarray(0, -1)), false);
    assert.equal(isEd25519Blob(Buffer.concat([blob, Buffer.alloc(1)])), false);
  });
});

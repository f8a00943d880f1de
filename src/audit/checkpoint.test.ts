import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { NoteSigner, NoteVerifier, historyEntry, nextHistoryEntry } from './checkpoint.ts';

const ORIGIN = 'gw.bank.example/audit';
const ROOT = Buffer.alloc(32, 7);

test('key id and verifier line are those of the signed-note reference key', () => {
  // The key of the documentation of golang.org/x/mod/sumdb/note.
  const verifier = new NoteVerifier('PeterNeumann', publicKey('ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'));
  assert.equal(verifier.line, 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
  const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
  const signature = 'x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=';
  // It is no checkpoint, which is found only after the signature was found right.
  assert.match(refusalOf(verifier, `${text}\n\u2014 PeterNeumann ${signature}\n`), /origin/);
  assert.match(refusalOf(verifier, `${text.replace('answer', 'Answer')}\n\u2014 PeterNeumann ${signature}\n`), /signature is wrong/);
});

test('a signed checkpoint opens to what was signed', () => {
  const signer = signerOf(ORIGIN);
  const note = signer.sign(20_852_163, ROOT);
  assert.equal(note.split('\n').slice(0, 4).join('\n'), `${ORIGIN}\n20852163\n${ROOT.toString('base64')}\n`);
  assert.deepEqual(signer.verifier.open(note), { origin: ORIGIN, size: 20_852_163, root: ROOT });
  assert.equal(note, signer.sign(20_852_163, ROOT), 'Ed25519 is deterministic');
});

test('other signatures do not matter; a wrong one of the known key spoils the note', () => {
  const signer = signerOf(ORIGIN);
  const note = signer.sign(3, ROOT);
  const witness = signerOf('witness.example').sign(3, ROOT).split('\n').at(-2)!;
  assert.equal('refused' in signer.verifier.open(`${note}${witness}\n`), false);
  assert.equal('refused' in signer.verifier.open(note.replace('\n\n', `\n\n${witness}\n`)), false);

  const sameNameOtherKey = signerOf(ORIGIN).sign(3, ROOT).split('\n').at(-2)!;
  assert.equal('refused' in signer.verifier.open(`${note}${sameNameOtherKey}\n`), false);

  const ofAnotherSize = signer.sign(4, ROOT).split('\n').at(-2)!;
  assert.match(refusalOf(signer.verifier, `${note}${ofAnotherSize}\n`), /wrong/);
  assert.match(refusalOf(signer.verifier, signerOf(ORIGIN).sign(3, ROOT)), /not signed/);
});

test('any changed character is refused', () => {
  const signer = signerOf(ORIGIN);
  const note = signer.sign(1_234, ROOT);
  for (let at = 0; at < note.length; at++) {
    for (const other of ['A', '0', '\n', ' ']) {
      if (note[at] === other) continue;
      assert.ok('refused' in signer.verifier.open(note.slice(0, at) + other + note.slice(at + 1)), `${at} ${other}`);
    }
    assert.ok('refused' in signer.verifier.open(note.slice(0, at)));
  }
  fc.assert(fc.property(fc.string(), (text) => 'refused' in signer.verifier.open(text)));
});

test('sizes that are not canonical or not safe integers are refused though they are signed', () => {
  const signer = signerOf(ORIGIN);
  for (const size of ['01', '-1', '1.5', '9007199254740993', '1e3', '']) {
    assert.match(refusalOf(signer.verifier, signer.sign(size as unknown as number, ROOT)), /size/);
  }
  assert.match(refusalOf(signer.verifier, signer.sign(1, ROOT.subarray(1))), /root/);
});

test('a key name that would break a note is refused, and so is another kind of key', () => {
  for (const name of ['', 'a b', 'a+b', 'a\nb', 'a\u2003b', 'a\u0000']) assert.throws(() => signerOf(name), TypeError);
  const { privateKey } = generateKeyPairSync('ed448');
  assert.throws(() => new NoteSigner(ORIGIN, privateKey.export({ type: 'pkcs8', format: 'pem' })), TypeError);
});

test('a history cut anywhere gives its whole entries and "incomplete"', () => {
  const signer = signerOf(ORIGIN);
  const notes = [0, 5, 1_000].map((size) => signer.sign(size, ROOT));
  const bytes = Buffer.from(notes.map(historyEntry).join(''));
  for (let length = 0; length <= bytes.byteLength; length++) {
    const cut = bytes.subarray(0, length);
    const seen: string[] = [];
    let at = 0;
    let entry = nextHistoryEntry(cut, at);
    while (typeof entry === 'object') {
      seen.push(cut.toString('utf8', entry.begin, entry.end));
      at = entry.end;
      entry = nextHistoryEntry(cut, at);
    }
    assert.equal(entry, 'incomplete');
    assert.deepEqual(seen, notes.slice(0, seen.length));
    assert.equal(at, Buffer.byteLength(seen.map(historyEntry).join('')));
  }
  for (const bad of ['x\n', '\n', '0\n', '012\nabc', '1234567\n', '-1\n', '12'])
    assert.equal(nextHistoryEntry(Buffer.from(bad), 0), bad === '12' ? 'incomplete' : 'malformed', bad);
});

function signerOf(origin: string): NoteSigner {
  return new NoteSigner(origin, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

function publicKey(encoded: string): ReturnType<typeof createPublicKey> {
  const raw = Buffer.from(encoded, 'base64').subarray(1);
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' });
}

function refusalOf(verifier: NoteVerifier, note: string): string {
  const opened = verifier.open(note);
  assert.ok('refused' in opened, 'it was accepted');
  return opened.refused;
}

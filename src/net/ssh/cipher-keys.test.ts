import assert from 'node:assert/strict';
import { KeyObject } from 'node:crypto';
import { duplexPair } from 'node:stream';
import { describe, it } from 'node:test';
import ssh2, { type CipherAlgorithm, type ParsedKey } from 'ssh2';
import { newSshKeyPair } from '../../identity/ssh-key-format.ts';
import { ciphers } from '../../protocols/ssh/algorithms.ts';
import { SshConnection } from './connection.ts';

describe('the keys of ciphers', () => {
  for (const cipher of ciphers) {
    it(`are key objects once keys are exchanged: ${cipher}`, async () => {
      const connection = await exchanged(cipher);
      const { _cipher: sending, _decipher: receiving } = connection.protocol;
      const isGcm = cipher.includes('gcm');
      // The addon, where there is one, keeps keys of its own.
      if ('_instance' in sending) return;
      assert.ok((isGcm ? sending._encKey : sending._macKey) instanceof KeyObject);
      assert.ok((isGcm ? receiving._decipherKey : receiving._macKey) instanceof KeyObject);
    });
  }
});

/** A gateway's side of a connection on which this cipher was agreed. */
async function exchanged(cipher: CipherAlgorithm): Promise<SshConnection> {
  const [near, far] = duplexPair();
  const client = new ssh2.Client().on('error', () => {});
  const connection = await new Promise<SshConnection>((resolve) => {
    const served: SshConnection = new SshConnection({
      socket: near,
      side: 'server',
      hostKey: ssh2.utils.parseKey(newSshKeyPair('host').privateKey) as ParsedKey,
      banner: 'test',
      maxChannels: 1,
      role: {
        signIn: { SERVICE_REQUEST: () => resolve(served) },
        exchanged: () => {},
        open: () => {},
        globalRequest: () => false,
        closed: () => {},
      },
    });
    client.connect({ sock: far, username: 'x', password: 'x', algorithms: { cipher: [cipher] } });
  });
  client.destroy();
  near.destroy();
  return connection;
}

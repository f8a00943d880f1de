import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import ssh2 from 'ssh2';
import type { MachineParts, RunningServer } from './index.ts';

/** Where no sshd is installed: commands without a terminal, as real processes, for one key. Enough for the demo, and no server for anything else. */
export async function startBuiltIn({ hostKey, clientKey, login }: MachineParts): Promise<RunningServer> {
  const expected = Buffer.from(clientKey.blob);
  const clients = new Set<ssh2.Connection>();
  const server = new ssh2.Server({ hostKeys: [hostKey.privateKey] }, (client) => {
    clients.add(client);
    client.on('error', () => {}).on('close', () => clients.delete(client));
    client.on('authentication', (attempt) => {
      if (attempt.method !== 'publickey' || !isProof(attempt, expected)) return attempt.reject(['publickey']);
      attempt.accept();
    });
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec, _reject, { command }) => run(acceptExec(), login, command));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    user: 'app',
    async close() {
      for (const client of clients) client.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A question whether the key would do, or a signature by it. */
function isProof(attempt: ssh2.PublicKeyAuthContext, expected: Buffer): boolean {
  const { algo, data } = attempt.key;
  if (algo !== 'ssh-ed25519' || !expected.equals(data)) return false;
  if (attempt.signature === undefined || attempt.blob === undefined) return attempt.signature === undefined;
  const key = ssh2.utils.parseKey(`ssh-ed25519 ${data.toString('base64')}`);
  return !(key instanceof Error) && key.verify(attempt.blob, attempt.signature);
}

function run(channel: ssh2.ServerChannel, login: string, command: string): void {
  const child = spawn('/bin/sh', [login], { env: { SSH_ORIGINAL_COMMAND: command }, stdio: ['pipe', 'pipe', 'pipe'] });
  channel.pipe(child.stdin);
  child.stdin.on('error', () => {});
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  channel.on('error', () => {}).on('close', () => child.kill());
  child.on('error', () => channel.exit(127));
  child.on('close', (code, signal) => {
    channel.exit(code ?? (signal === null ? 1 : 128));
    channel.end();
  });
}

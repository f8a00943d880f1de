import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../../../src/cli/demo/free-port.ts';
import { newSshKeyPair, sshFingerprint } from '../../../src/identity/ssh-key-format.ts';
import { ensureDebian } from '../../parts/debian.ts';
import type { Door } from '../door.ts';
import { greeting, talk, whileForwarding } from '../matrix/forwards.ts';
import { runProgram, shown } from '../program.ts';
import { startSshWorld, type SshWorld } from '../world.ts';

/** asyncssh in the target's place, on which the gateway signs on with a password that only a reference names. */
describe('a target that is not OpenSSH, by password', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-server-'));
  const servers: ChildProcess[] = [];
  let world: SshWorld;
  let echo: Server;

  const serve = async (method: string): Promise<Readonly<Record<string, unknown>>> => {
    const pair = newSshKeyPair('host');
    const keyFile = join(folder, `${method}.key`);
    writeFileSync(keyFile, pair.privateKey, { mode: 0o600 });
    const server = spawn(
      '/usr/bin/python3',
      ['-W', 'ignore', join(import.meta.dirname, '..', 'peers', 'server.py'), method, user, password, keyFile],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    servers.push(server);
    const [port] = await once(server.stdout, 'data');
    return {
      host: '127.0.0.1',
      port: Number(String(port)),
      user,
      host_key: sshFingerprint(pair.blob),
      password: 'env:CONFORMANCE_PASSWORD',
    };
  };

  before(async () => {
    ensureDebian(['python3-asyncssh', 'curl']);
    process.env['CONFORMANCE_PASSWORD'] = password;
    process.env['CONFORMANCE_WRONG'] = 'another';
    echo = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('echo\n');
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    const [byPassword, byPrompt] = [await serve('password'), await serve('keyboard-interactive')];
    world = await startSshWorld({
      adjust: (config) => {
        const forwards = [{ to: `127.0.0.1:${echoPort()}` }];
        Object.assign(config['targets']!, {
          'by-password': { protocol: 'ssh', upstream: byPassword, forwards },
          'by-prompt': { protocol: 'ssh', upstream: byPrompt },
          'by-mistake': { protocol: 'ssh', upstream: { ...byPassword, password: 'env:CONFORMANCE_WRONG' } },
        });
      },
    });
  });
  after(async () => {
    await world.close();
    for (const server of servers) server.kill('SIGKILL');
    echo.close();
    rmSync(folder, { recursive: true });
  });

  const echoPort = (): number => (echo.address() as AddressInfo).port;
  /** As a case of the matrix would work. */
  const workplace = (door: Door) => {
    const raw: typeof runProgram = (name, args, options) => runProgram(name, args, { cwd: folder, ...options });
    return { door, raw, program: async (name: string, args: readonly string[]) => shown(await raw(name, args)) } as Parameters<
      typeof whileForwarding
    >[0];
  };

  for (const target of ['by-password', 'by-prompt']) {
    it(`runs a command: ${target}`, async () => {
      const door = await world.behind({ target });
      assert.equal(shown(await door.ssh(['echo ran; exit 7'])), 'exit 7\nstdout "ran\\n"');
    });
  }

  it('is told as such where the password is wrong, and as another user than the password’s', async () => {
    const wrong = await (await world.behind({ target: 'by-mistake' })).ssh(['true']);
    assert.match(shown(wrong), /exit 255\nstderr "sallyport: the target does not take the gateway’s own credential/);
    const other = await (await world.behind({ target: 'by-password', user: 'root+by-password' })).ssh(['true']);
    assert.match(shown(other), /the gateway cannot sign on as root: it has a password of another user/);
  });

  it('connects for a client, and listens for it, at ports and sockets', async () => {
    const at = workplace(await world.behind({ target: 'by-password' }));
    const [near, far] = [await freePort(), await freePort()];
    const open = (port: number): string => `exec 3<>/dev/tcp/127.0.0.1/${port}`;
    const echoed = 'exit 0\nstdout "echo\\nhello\\n"';
    assert.equal(
      await whileForwarding(at, ['-L', `127.0.0.1:${near}:127.0.0.1:${echoPort()}`], open(near), () => at.program('bash', talk(near))),
      echoed,
    );
    for (const address of ['127.0.0.1:', '', '*:']) {
      const place = ['-R', `${address}${far}:127.0.0.1:${echoPort()}`];
      assert.equal(await whileForwarding(at, place, open(far), () => at.program('bash', talk(far))), echoed, address);
    }
    const socket = join(folder, 'there.sock');
    assert.equal(
      await whileForwarding(at, ['-R', `${socket}:127.0.0.1:${echoPort()}`], `test -S ${socket}`, () =>
        greeting(at, ['--unix-socket', socket]),
      ),
      'echo',
    );
  });

  it('leaves nothing of its password with the gateway', async () => {
    const files = readdirSync(world.folder, { recursive: true, encoding: 'utf8' }).map((name) => join(world.folder, name));
    for (const file of files.filter((name) => statSync(name).isFile())) assert.ok(!readFileSync(file).includes(password), file);
  });
});

const user = 'operator';
const password = 'Pa55-of-the-target';

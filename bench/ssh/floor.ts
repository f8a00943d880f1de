import { readFileSync } from 'node:fs';
import ssh2, { type ClientChannel, type ServerChannel } from 'ssh2';
import { countBuffersWithHeap } from '../../src/net/buffer-memory.ts';
import { keepKeys } from '../../src/net/ssh/cipher-keys.ts';
import { ciphers } from '../../src/protocols/ssh/algorithms.ts';

/**
 * The least that a gateway on ssh2 can do: its server on one side, its client on the other, with the same ciphers, their streams piped. It lets everybody in, and looks at nothing. Of what
 * the gateway does to be fast it has what any program could have: buffers counted with V8's heap, and keys of ciphers as key objects.
 *
 *     node bench/ssh/floor.ts PORT HOST-KEY TARGET-PORT TARGET-USER TARGET-KEY
 *
 * What is between a jump host and this is what platform and library cost; what is between this and the gateway is what the gateway costs.
 */
const [port, hostKey, targetPort, username, targetKey] = process.argv.slice(2) as [string, string, string, string, string];
const algorithms = { cipher: [...ciphers] };
const privateKey = readFileSync(targetKey);

countBuffersWithHeap();
new ssh2.Server({ hostKeys: [readFileSync(hostKey)], algorithms }, (client) => {
  const target = new ssh2.Client();
  const ready = new Promise<void>((resolve) => void target.once('ready', resolve));
  target.on('error', () => client.end()).connect({ host: '127.0.0.1', port: Number(targetPort), username, privateKey, algorithms });
  client.on('authentication', (context) => context.accept());
  client.on('error', () => target.end()).on('close', () => target.end());
  for (const side of [client, target])
    side.on('handshake', () => keepKeys((side as unknown as { readonly _protocol: Parameters<typeof keepKeys>[0] })._protocol));
  client.on('session', (accept) => {
    const joined = (channel: ServerChannel) => (error: Error | undefined, program: ClientChannel) => {
      if (error !== undefined) throw error;
      // An end of its own accord would close the channel before the exit status has come.
      program.pipe(channel, { end: false });
      channel.pipe(program);
      program.stderr.pipe(channel.stderr);
      let exit = 255;
      program.on('exit', (status: number) => (exit = status));
      program.on('close', () => {
        channel.exit(exit);
        channel.end();
      });
    };
    const session = accept();
    session.on('exec', (accept, _reject, { command }) => {
      const channel = accept();
      void ready.then(() => target.exec(command, joined(channel)));
    });
    session.on('subsystem', (accept, _reject, { name }) => {
      const channel = accept();
      void ready.then(() => target.subsys(name, joined(channel)));
    });
  });
}).listen(Number(port), '127.0.0.1');

import type { Command } from 'commander';
import type { SshHostKeys } from '../../api/schema.ts';
import { ApiClient } from '../client.ts';
import { Failure, usage } from '../failure.ts';
import { example, withGateway, withJson } from '../options.ts';
import { gatewayUrl } from '../settings.ts';
import { print, printJson } from '../terminal.ts';

export function configure(command: Command): void {
  example(
    withJson(withGateway(command)),
    'sallyport ssh-host-key --url https://gw.bank.example:8080 >> ~/.ssh/known_hosts',
    'sallyport ssh-host-key -c sallyport.yaml',
  )
    .option('-c, --config <file>', 'read it from the data folder of this configuration instead of asking the gateway')
    .action(async (options: { url?: string; config?: string; json?: boolean }) => {
      if (options.config !== undefined && options.url !== undefined) throw usage('--config and --url are two ways to the same key');
      const found = options.config === undefined ? await ask(options.url) : await read(options.config);
      if (options.json === true) return printJson(found);
      for (const { fingerprint, sshfp, known_hosts: knownHosts } of found.keys) {
        // Comments for `known_hosts`, into which all of this may go as it is.
        for (const line of [fingerprint, ...sshfp]) print(`# ${line}`);
        print(knownHosts);
      }
    });
}

async function ask(url: string | undefined): Promise<SshHostKeys> {
  return await new ApiClient(await gatewayUrl(url)).get<SshHostKeys>('/.well-known/sallyport/ssh-host-keys');
}

async function read(file: string): Promise<SshHostKeys> {
  const { loadConfig } = await import('../../config/index.ts');
  const { configurationFailure } = await import('../configuration.ts');
  const config = await loadConfig(file).catch((error: unknown) => {
    throw configurationFailure(error, undefined);
  });
  const { host, data } = config.gateway;
  const port = config.listeners.ssh?.port;
  if (port === undefined) throw new Failure('this gateway has no listener for SSH', { hint: 'set listeners.ssh' });
  const { describeHostKey, publishedHostKey } = await import('../../identity/ssh-host-key.ts');
  const publicKey = publishedHostKey(data);
  if (publicKey === undefined) throw new Failure('there is no host key yet', { hint: 'the gateway makes it when it first starts' });
  return { host, port, keys: [describeHostKey(host, port, publicKey)] };
}

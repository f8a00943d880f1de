import type { Command } from 'commander';
import type { WellKnown } from '../../api/schema.ts';
import { ApiClient } from '../client.ts';
import { Failure, usage } from '../failure.ts';
import { example, withGateway } from '../options.ts';
import type { PeopleIssuer } from '../people.ts';
import { checkUrl, gatewayUrl, readStored, writeStored } from '../settings.ts';
import { note } from '../terminal.ts';

interface LoginOptions {
  readonly url?: string;
  readonly issuer?: string;
  readonly device?: boolean;
  readonly browser: boolean;
}

export function configure(command: Command): void {
  example(withGateway(command), 'sallyport login https://gw.bank.example:8080', 'sallyport login --device')
    .argument('[gateway]', 'the gateway’s API')
    .option('--issuer <name>', 'which issuer, where the gateway knows several')
    .option('--device', 'sign in on another device, with a code')
    .option('--no-browser', 'print the address instead of opening a browser')
    .action(async (gateway: string | undefined, options: LoginOptions) => {
      const url = gateway === undefined ? await gatewayUrl(options.url) : checkUrl(gateway);
      const { issuers } = await new ApiClient(url).get<WellKnown>('/.well-known/sallyport');
      const issuer = choose(issuers, options.issuer);
      const { signInWithBrowser, signInWithDevice } = await import('../people.ts');
      const signIn = options.device === true ? await signInWithDevice(issuer) : await signInWithBrowser(issuer, options.browser);
      const stored = await readStored();
      await writeStored({ current: url, gateways: new Map([...stored.gateways, [url, signIn]]) });
      note(
        `signed in at ${url} until ${new Date(signIn.expiresAtMs).toISOString()}${signIn.refreshToken === null ? '' : ', renewed by itself'}`,
      );
    });
}

function choose(issuers: readonly PeopleIssuer[], name: string | undefined): PeopleIssuer {
  const names = issuers.map((issuer) => issuer.name).join(', ');
  if (issuers.length === 0)
    throw new Failure('people cannot sign in at this gateway', { hint: 'its operator must configure an issuer of kind user' });
  if (name === undefined && issuers.length > 1) throw usage('at which issuer?', `give --issuer, one of: ${names}`);
  const issuer = name === undefined ? issuers[0] : issuers.find((issuer) => issuer.name === name);
  if (issuer === undefined) throw usage(`the gateway has no issuer ${name}`, `it has: ${names}`);
  return issuer;
}

import type { Command } from 'commander';
import { messageOf } from '../failure.ts';
import { example, withGateway } from '../options.ts';
import type { GatewayOptions } from '../options.ts';
import { gatewayUrl, readStored, writeStored } from '../settings.ts';
import { note, printable } from '../terminal.ts';

export function configure(command: Command): void {
  example(withGateway(command), 'sallyport logout').action(async (options: GatewayOptions) => {
    const url = await gatewayUrl(options.url);
    const stored = await readStored();
    const signIn = stored.gateways.get(url);
    if (signIn === undefined) {
      note(`not signed in at ${url}`);
      return;
    }
    const gateways = new Map(stored.gateways);
    gateways.delete(url);
    await writeStored({ current: stored.current === url ? undefined : stored.current, gateways });
    note(`signed out of ${url}`);
    try {
      const { revokeRefreshToken } = await import('../people.ts');
      await revokeRefreshToken(signIn);
    } catch (error) {
      note(`the issuer was not told: ${printable(messageOf(error))}`);
    }
  });
}

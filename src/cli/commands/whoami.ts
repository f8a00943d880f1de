import type { Command } from 'commander';
import type { WhoAmI } from '../../api/schema.ts';
import { example, signedInClient, withGateway, withJson } from '../options.ts';
import type { GatewayOptions, JsonOption } from '../options.ts';
import { printFields, printJson, relativeTime } from '../terminal.ts';

export function configure(command: Command): void {
  example(withJson(withGateway(command)), 'sallyport whoami').action(async (options: GatewayOptions & JsonOption) => {
    const who = await (await signedInClient(options)).get<WhoAmI>('/api/v1/whoami');
    if (options.json === true) return printJson(who);
    printFields([
      ['name', who.display],
      ['issuer', who.issuer],
      ['subject', who.subject],
      ['groups', who.groups_known ? who.groups.join(', ') || 'none' : 'unknown: too many for a token'],
      ['roles', who.roles.join(', ') || 'none'],
      ['expires', relativeTime(who.expires)],
    ]);
  });
}

import type { Command } from 'commander';
import { ApiClient } from './client.ts';
import { gatewayUrl } from './settings.ts';

export interface GatewayOptions {
  readonly url?: string;
}

export interface JsonOption {
  readonly json?: boolean;
}

export function withGateway(command: Command): Command {
  return command.option('--url <url>', 'the gateway’s API (default: SALLYPORT_URL, else the gateway signed in to last)');
}

export function withJson(command: Command): Command {
  return command.option('--json', 'print JSON');
}

export function example(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', `\nExample:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`);
}

/** A subcommand, with the help option named as everywhere. */
export function subcommand(parent: Command, name: string, summary: string): Command {
  return parent.command(name).description(summary).helpOption('-h, --help', 'show this help');
}

/** The API as the person who signed in. */
export async function signedInClient(options: GatewayOptions): Promise<ApiClient> {
  const url = await gatewayUrl(options.url);
  const { personToken } = await import('./people.ts');
  return new ApiClient(url, await personToken(url));
}

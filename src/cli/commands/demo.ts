import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { example } from '../options.ts';

export function configure(command: Command): void {
  example(command, 'sallyport demo', 'sallyport demo --tour')
    .option('--tour', 'play the lines itself, end with a verified audit log, and exit')
    .option(
      '--port <port>',
      'PostgreSQL’s port; the API and HTTP clients get the next two (default: 6432, 8080 and 8443, or free ones)',
      readPort,
    )
    .action(async (options: { tour?: boolean; port?: number }) => {
      const { demo } = await import('../demo/index.ts');
      process.exitCode = await demo({ tour: options.tour === true, port: options.port });
    });
}

function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) throw new InvalidArgumentError('a port is a number from 1 to 65535');
  return port;
}

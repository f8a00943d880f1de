import type { Command } from 'commander';
import { example } from '../options.ts';
import { note } from '../terminal.ts';

export function configure(command: Command): void {
  example(command, 'sallyport serve -c sallyport.yaml')
    .option('-c, --config <file>', 'the configuration', 'sallyport.yaml')
    .action(async (options: { config: string }) => {
      const { startGateway } = await import('../gateway.ts');
      const gateway = await startGateway(options.config);
      const signal = await stopSignal();
      note(`sallyport: ${signal}: stopping`);
      await gateway.close();
    });
}

/** The first request to stop. A second one, while stopping, ends the process at once, as it would without us. */
async function stopSignal(): Promise<NodeJS.Signals> {
  return await new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals): void => {
      for (const name of signals) process.off(name, stop);
      resolve(signal);
    };
    for (const name of signals) process.on(name, stop);
  });
}

const signals = ['SIGTERM', 'SIGINT'] as const;

import type { Command } from 'commander';
import type { Gateway } from '../gateway.ts';
import { example } from '../options.ts';
import { note } from '../terminal.ts';

export function configure(command: Command): void {
  example(command, 'sallyport serve -c sallyport.yaml')
    .option('-c, --config <file>', 'the configuration', 'sallyport.yaml')
    .action(async (options: { config: string }) => {
      const gateway = await started(options.config);
      const signal = await stopSignal();
      note(`sallyport: ${signal}: stopping`);
      await gateway.close();
    });
}

async function started(file: string): Promise<Gateway> {
  const { startGateway } = await import('../gateway.ts');
  try {
    return await startGateway(file);
  } catch (error) {
    const { configurationFailure } = await import('../configuration.ts');
    throw configurationFailure(error, undefined);
  }
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

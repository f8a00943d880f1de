import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { Failure } from './failure.ts';
import { printFailure } from './terminal.ts';

/** `configure` gives a command its arguments, options and action. */
interface CommandModule {
  configure(command: Command): void;
}

/** Only the module of the command that was asked for is loaded: `sallyport token` in a job starts fast. */
const commands: readonly [name: string, summary: string, load: () => Promise<CommandModule>][] = [
  ['demo', 'the whole product on this machine: no configuration, no Docker', async () => await import('./commands/demo.ts')],
  ['serve', 'run the gateway', async () => await import('./commands/serve.ts')],
  ['check', 'check configuration and policies, and show what results from them', async () => await import('./commands/check.ts')],
  ['login', 'sign in at a gateway, in a browser or with a code', async () => await import('./commands/login.ts')],
  ['logout', 'forget a sign-in', async () => await import('./commands/logout.ts')],
  ['whoami', 'show who the gateway takes you for', async () => await import('./commands/whoami.ts')],
  ['token', 'exchange the CI job’s own token for a short-lived one for a target', async () => await import('./commands/token.ts')],
  ['ssh-host-key', 'print the key by which SSH clients know the gateway', async () => await import('./commands/ssh-host-key.ts')],
  ['connect', 'run a client with everything set for a target', async () => await import('./commands/connect.ts')],
  ['approvals', 'see and answer requests for approval', async () => await import('./commands/approvals.ts')],
  ['sessions', 'list, show, replay and end sessions', async () => await import('./commands/sessions.ts')],
  ['policy', 'test and explain policy', async () => await import('./commands/policy.ts')],
  ['audit', 'query, follow and verify the audit log', async () => await import('./commands/audit.ts')],
];

async function main(args: readonly string[]): Promise<number> {
  const words = args[0] === 'help' ? [...args.slice(1), '--help'] : [...args];
  const asked = words.find((word) => !word.startsWith('-'));
  const program = new Command('sallyport')
    .description('The gateway between agents or CI pipelines and the systems they work on: who are you, and what are you about to do?')
    .version(version(), '--version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .addHelpText('after', '\nExample:\n  $ sallyport demo --tour\n')
    .configureOutput({ outputError: () => undefined, writeErr: () => undefined })
    .exitOverride();
  for (const [name, summary, load] of commands) {
    const command = program.command(name).description(summary).helpOption('-h, --help', 'show this help').helpCommand(false);
    if (name === asked) (await load()).configure(command);
  }
  if (words.length === 0) {
    process.stderr.write(program.helpInformation());
    return 2;
  }
  await program.parseAsync(words, { from: 'user' });
  return Number(process.exitCode ?? 0);
}

/** Commander's own words for a wrong command line: its first line, and its suggestion or the help as the hint. */
function usageFailure(error: CommanderError): Failure {
  const [first = '', suggestion] = error.message.split('\n');
  const asked = process.argv[2];
  const help = asked !== undefined && commands.some(([name]) => name === asked) ? `sallyport ${asked} --help` : 'sallyport --help';
  const hint = suggestion?.replace(/^\(|\)$/g, '') ?? `run: ${help}`;
  return new Failure(error.code === 'commander.help' ? 'which subcommand?' : first.replace(/^error: /, ''), { hint, exitCode: 2 });
}

function version(): string {
  // In a checkout the manifest is two folders up, in a published package three (`dist/src/cli`).
  const require = createRequire(import.meta.url);
  const up = import.meta.url.endsWith('.ts') ? '../../package.json' : '../../../package.json';
  return (require(up) as { version: string }).version;
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader has gone (`| head`): nobody is left to tell.
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof CommanderError && error.exitCode === 0) process.exitCode = 0;
  else process.exitCode = printFailure(error instanceof CommanderError ? usageFailure(error) : error);
}

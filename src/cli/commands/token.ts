import type { Command } from 'commander';
import { execCredential } from '../kubeconfig.ts';
import { example, withGateway, withJson } from '../options.ts';
import type { JsonOption } from '../options.ts';
import { targetToken } from '../target-token.ts';
import type { TargetTokenOptions } from '../target-token.ts';
import { print, printJson } from '../terminal.ts';

export function configure(command: Command): void {
  example(
    withJson(withGateway(command)),
    'PGPASSWORD=$(sallyport token --target orders) psql "host=gw.bank.example dbname=orders sslmode=verify-full"',
    'sallyport token --target orders --token-file /var/run/secrets/sallyport/token',
  )
    .requiredOption('--target <name>', 'what the token is for')
    .option('--kube', 'print an ExecCredential, as a credential plugin of a kubeconfig does')
    .option('--token-file <file>', 'a file that holds the job’s OIDC token')
    .option('--audience <audience>', 'the audience to ask the job’s issuer for (default: what the gateway says)')
    .action(async (options: TargetTokenOptions & JsonOption & { target: string; kube?: boolean }) => {
      const issued = await targetToken(options.target, options);
      if (options.kube === true) printJson(execCredential(issued, Date.now()));
      else if (options.json === true) printJson(issued);
      else print(issued.access_token);
    });
}

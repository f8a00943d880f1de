import type { Command } from 'commander';
import { execCredential } from '../kubeconfig.ts';
import { example, withGateway, withJson } from '../options.ts';
import type { JsonOption } from '../options.ts';
import { targetToken } from '../target-token.ts';
import type { TargetTokenOptions } from '../target-token.ts';
import { issueSshKey, keyPath, writeSshKey } from '../ssh-key.ts';
import { usage } from '../failure.ts';
import { print, printJson } from '../terminal.ts';

type TokenOptions = TargetTokenOptions & JsonOption & { target: string; kube?: boolean; ssh?: boolean; out?: string };

export function configure(command: Command): void {
  example(
    withJson(withGateway(command)),
    'PGPASSWORD=$(sallyport token --target orders) psql "host=gw.bank.example dbname=orders sslmode=verify-full"',
    'sallyport token --target orders --token-file /var/run/secrets/sallyport/token',
    'ssh -i "$(sallyport token --target web-1 --ssh)" -p 2222 web-1@gw.bank.example uptime',
  )
    .requiredOption('--target <name>', 'what the token is for')
    .option('--kube', 'print an ExecCredential, as a credential plugin of a kubeconfig does')
    .option('--ssh', 'make a key for SSH instead, and print where it is')
    .option('--out <file>', 'where the key for SSH is written (default: in a folder of your own configuration)')
    .option('--token-file <file>', 'a file that holds the job’s OIDC token')
    .option('--audience <audience>', 'the audience to ask the job’s issuer for (default: what the gateway says)')
    .action(async (options: TokenOptions) => {
      if (options.ssh === true) return await sshKey(options);
      if (options.out !== undefined) throw usage('--out is where a key is written', 'give --ssh with it');
      const issued = await targetToken(options.target, options);
      if (options.kube === true) printJson(execCredential(issued, Date.now()));
      else if (options.json === true) printJson(issued);
      else print(issued.access_token);
    });
}

/** Prints the file's name alone, for `ssh -i`. */
async function sshKey(options: TokenOptions): Promise<void> {
  if (options.kube === true) throw usage('--ssh and --kube are for different clients');
  const { issued, pair } = await issueSshKey(options.target, options);
  const file = keyPath(options.target, options.out);
  writeSshKey(file, pair);
  if (options.json === true) printJson({ ...issued, identity_file: file, public_key: pair.publicKey });
  else print(file);
}

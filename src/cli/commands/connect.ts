import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { IssuedToken } from '../../api/schema.ts';
import { Failure } from '../failure.ts';
import { example, withGateway } from '../options.ts';
import { connectKubernetes } from '../connect-kubernetes.ts';
import { connectSsh, splitTarget } from '../connect-ssh.ts';
import { runClient } from '../run-client.ts';
import { targetToken } from '../target-token.ts';
import type { TargetTokenOptions } from '../target-token.ts';

interface ConnectOptions extends TargetTokenOptions {
  readonly ca?: string;
  readonly user?: string;
  readonly tty?: boolean;
  readonly local?: boolean;
  readonly sshConfig?: boolean;
}

export function configure(command: Command): void {
  example(
    withGateway(command),
    'sallyport connect orders',
    'sallyport connect orders -- psql -c "select count(*) from customers"',
    'sallyport connect orders -- ./migrate.sh',
    `sallyport connect crm -- sh -c 'curl -H "Authorization: Bearer $SALLYPORT_TARGET_TOKEN" "$SALLYPORT_TARGET_URL/customers/7"'`,
    `sallyport connect ledger -- sh -c 'grpcurl -H "Authorization: Bearer $SALLYPORT_TARGET_TOKEN" "$SALLYPORT_TARGET_ADDRESS" bank.v1.Ledger/Get'`,
    'sallyport connect aks -- kubectl get pods',
    'sallyport connect aks > aks.kubeconfig',
    'sallyport connect web-1',
    'sallyport connect deploy+web-1 -- systemctl restart app',
    'sallyport connect web-1 --local -- rsync -a site/ web-1:/srv/site/',
    'sallyport connect web-1 --ssh-config >> ~/.ssh/config',
  )
    .argument('<target>', 'name of the target')
    .argument('[command...]', 'what to run, after -- (default: the target’s own client); at an SSH target, unless with --local')
    .option('--token-file <file>', 'a file that holds the job’s OIDC token')
    .option('--audience <audience>', 'the audience to ask the job’s issuer for (default: what the gateway says)')
    .option('--ca <file>', 'PEM file of the authority that signed the gateway’s certificate')
    .option('--user <name>', 'user name to give; it is recorded and grants nothing. For SSH: the user of the target')
    .option('-t, --tty', 'SSH: a terminal for the command')
    .option('--local', 'SSH: the command is one of this machine, such as scp, rsync, git or ansible')
    .option('--ssh-config', 'SSH: print lines for ~/.ssh/config that make a key whenever a client connects')
    .action(async (named: string, words: string[], options: ConnectOptions) => {
      const { target, user } = splitTarget(named);
      const issued = await targetToken(target, options);
      if (issued.connection?.protocol === 'ssh') {
        process.exitCode = await connectSsh(target, words, user === undefined ? options : { ...options, user });
        return;
      }
      if (issued.connection?.protocol === 'kubernetes') {
        process.exitCode = await connectKubernetes(issued, target, words, options);
        return;
      }
      const { variables, client } = clientOf(issued, target, options);
      process.exitCode = await runClient(words.length === 0 ? client : words, variables);
    });
}

interface Client {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly client: readonly string[];
}

function clientOf(issued: IssuedToken, target: string, options: ConnectOptions): Client {
  const { connection } = issued;
  if (connection === undefined) throw new Failure(`the gateway has no listener for ${target}`, { hint: 'ask its operator' });
  if (connection.protocol === 'postgres') return postgres(connection, issued.access_token, options);
  if (connection.protocol === 'http' || connection.protocol === 'cosmos') return http(connection, issued.access_token, options);
  if (connection.protocol === 'grpc') return grpc(connection, issued.access_token, options);
  throw new Failure(`this version of sallyport cannot run a client for ${connection.protocol}`, {
    hint: `use: sallyport token --target ${target}`,
  });
}

/** HTTP clients, and SDKs of Cosmos DB, have no variables in common, and no client is the target's own. */
function http({ host, port, path = '' }: NonNullable<IssuedToken['connection']>, token: string, options: ConnectOptions): Client {
  const ca = options.ca ?? process.env['SALLYPORT_CA'];
  return {
    client: ['sh', '-c', 'echo "$SALLYPORT_TARGET_URL"'],
    variables: {
      SALLYPORT_TARGET_URL: `https://${host.includes(':') ? `[${host}]` : host}:${port}${path}`,
      SALLYPORT_TARGET_TOKEN: token,
      ...(ca === undefined || ca === '' ? {} : { CURL_CA_BUNDLE: resolve(ca), NODE_EXTRA_CA_CERTS: resolve(ca) }),
    },
  };
}

/**
 * Clients of gRPC dial a name and a port. Whose root certificates they take they read from variables of their own: gRPC's C core (Python, C++, Ruby) and grpc-js
 * (`environment_variables.md`), Go (`crypto/x509`).
 */
function grpc(connection: NonNullable<IssuedToken['connection']>, token: string, options: ConnectOptions): Client {
  const { variables } = http(connection, token, options);
  const ca = variables['NODE_EXTRA_CA_CERTS'];
  return {
    client: ['sh', '-c', 'echo "$SALLYPORT_TARGET_ADDRESS"'],
    variables: {
      ...variables,
      SALLYPORT_TARGET_ADDRESS: variables['SALLYPORT_TARGET_URL']!.slice('https://'.length),
      ...(ca === undefined ? {} : { GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: ca, SSL_CERT_FILE: ca }),
    },
  };
}

/** libpq's environment variables (PostgreSQL manual, "Environment Variables"); the ones that would lead elsewhere are removed. */
function postgres(connection: NonNullable<IssuedToken['connection']>, token: string, options: ConnectOptions): Client {
  const ca = options.ca ?? process.env['PGSSLROOTCERT'] ?? process.env['SALLYPORT_CA'];
  return {
    client: ['psql'],
    variables: {
      PGHOST: connection.host,
      PGPORT: String(connection.port),
      PGDATABASE: connection.name,
      PGUSER: options.user ?? process.env['PGUSER'] ?? 'sallyport',
      PGPASSWORD: token,
      PGSSLMODE: 'verify-full',
      PGGSSENCMODE: 'disable',
      ...(ca === undefined || ca === '' ? {} : { PGSSLROOTCERT: ca === 'system' ? ca : resolve(ca) }),
      PGHOSTADDR: undefined,
      PGPASSFILE: undefined,
      PGSERVICE: undefined,
      PGSERVICEFILE: undefined,
    },
  };
}

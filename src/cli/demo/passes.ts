import { renameSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { note } from '../terminal.ts';
import type { DemoWorld } from './world.ts';

/** Those whom the demo shows, by the names of their files. */
export type Holder = keyof typeof subjects;

export interface Passes {
  /** Holds a token of the issuer for this one, always a fresh one. */
  tokenFile(holder: Holder): string;
  /** To be sourced by a shell: defines `sallyport` as the command line in this one's name. */
  shellFile(holder: Holder): string;
  /** The log's verifier key, as an auditor would keep it, away from the log. */
  readonly logKeyFile: string;
  /** What starts the command line without a shell, and the environment in which it speaks for this one. */
  commandLine(holder: Holder): Promise<CommandLine>;
  token(holder: Holder): Promise<string>;
  stop(): void;
}

export interface CommandLine {
  readonly program: string;
  readonly parameters: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Writes a token for everyone into the demo's folder, readable for its owner only, and renews them long before they expire. */
export async function keepPasses(world: DemoWorld): Promise<Passes> {
  const file = (name: string): string => join(world.folder, name);
  const token = async (holder: Holder): Promise<string> => await world.issuer.mint(subjects[holder]);
  const holders = Object.keys(subjects) as Holder[];
  const renew = async (): Promise<void> => {
    for (const holder of holders) replace(file(`${holder}.token`), await token(holder));
  };
  await renew();
  for (const holder of holders) replace(file(`${holder}.sh`), shellFunction(world, holder, file(`${holder}.token`)));
  replace(file('audit.vkey'), `${world.gateway.auditVerifierKey}\n`);
  const timer = setInterval(() => {
    renew().catch((error: unknown) => note(`the tokens could not be renewed: ${String(error)}`));
  }, renewalMs);
  return {
    tokenFile: (holder) => file(`${holder}.token`),
    shellFile: (holder) => file(`${holder}.sh`),
    logKeyFile: file('audit.vkey'),
    commandLine: async (holder) => ({
      program: process.execPath,
      parameters: [mainFile],
      env: { SALLYPORT_URL: world.apiUrl, SALLYPORT_CA: world.authorityFile, SALLYPORT_TOKEN: await token(holder), HOME: world.folder },
    }),
    token,
    stop: () => clearInterval(timer),
  };
}

/** The token is read anew by each call, so that a terminal that stays open keeps working. */
function shellFunction(world: DemoWorld, holder: Holder, tokenFile: string): string {
  return `# Source this file: it defines the command \`sallyport\` as ${subjects[holder]} would use it.
sallyport() {
  SALLYPORT_URL=${quoted(world.apiUrl)} SALLYPORT_CA=${quoted(world.authorityFile)} SALLYPORT_TOKEN="$(cat ${quoted(tokenFile)})" \\
    ${quoted(process.execPath)} ${quoted(mainFile)} "$@"
}
`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Whoever reads the file meanwhile sees the old one or the new one. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

const subjects = {
  pipeline: 'pipeline',
  erin: 'dba-erin',
  frank: 'dba-frank',
  gina: 'dba-gina',
  uma: 'auditor-uma',
  omar: 'fraud-omar',
} as const;

/** Sources in a checkout, compiled in the published package. */
const mainFile = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url));
const renewalMs = 15 * 60_000;

import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../harness.ts';
import { tool, type Shown, type ToolCase, type Workplace } from './case.ts';

/** Migration tools and mappers from npm. They are no dependencies of the project: they are installed below ~/.cache when they run. */
export const npmCases: readonly ToolCase[] = ['drizzle', 'knex', 'sequelize', 'typeorm', 'node-pg-migrate'].map((name) => ({
  name,
  run: (at: Workplace) => program(at, name),
}));

async function program(at: Workplace, name: string): Promise<Shown> {
  const folder = await installed();
  const place = `cd '${folder}' && exec '${process.execPath}' run.mjs ${name}`;
  const ran = await tool(at, 'sh', ['-c', place]);
  const steps = new Map<string, string>();
  for (const line of ran.split('\n')) {
    if (!line.startsWith('[')) continue;
    const [step, value] = JSON.parse(line) as readonly [string, unknown];
    steps.set(step, JSON.stringify(value, undefined, 1));
  }
  if (steps.size === 0 || steps.has('failed')) throw new Error(`${name} does not work: ${ran.slice(-2_000)}`);
  return steps;
}

/** A folder with the packages that `npm/package.json` names, made once for each list. Install scripts do not run. */
async function installed(): Promise<string> {
  const here = fileURLToPath(new URL('npm/', import.meta.url));
  const wanted = createHash('sha256')
    .update(readFileSync(join(here, 'package.json')))
    .digest('hex')
    .slice(0, 12);
  const folder = join(homedir(), '.cache', 'sallyport', `conformance-tools-${wanted}`);
  if (!existsSync(folder)) {
    const made = `${folder}.${process.pid}`;
    mkdirSync(made, { recursive: true });
    cpSync(join(here, 'package.json'), join(made, 'package.json'));
    const { status, stderr } = await run('npm', ['install', '--prefix', made, '--ignore-scripts', '--no-audit', '--no-fund'], process.env);
    if (status !== 0) {
      rmSync(made, { recursive: true, force: true });
      throw new Error(`npm could not install the tools:\n${stderr}`);
    }
    renameSync(made, folder);
  }
  cpSync(join(here, 'run.mjs'), join(folder, 'run.mjs'));
  return folder;
}

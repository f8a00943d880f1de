import { dirname, join, relative } from 'node:path';
import { ConfigError, loadConfig } from '../config/index.ts';
import type { Config } from '../config/index.ts';
import { nodeCrypto } from '../net/crypto.ts';
import { compilePolicies, PolicyLoadError, problemText } from '../policy/index.ts';
import type { PolicyProblem, PolicySet } from '../policy/index.ts';
import { Failure } from './failure.ts';

/** Reads the configuration; every problem found is one line `file:line:column: what was expected`. */
export async function readConfiguration(file: string): Promise<Config> {
  try {
    return await loadConfig(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = error.message.split('\n');
    throw new Failure(`${count(lines.length, 'problem')} in the configuration`, { lines, cause: error });
  }
}

/** Checks the policies that the configuration names; problems as above. */
export function readPolicies(config: Config): PolicySet {
  const { files } = config.policies;
  try {
    return compilePolicies({
      files,
      crypto: nodeCrypto,
      targets: config.targets,
      dataClasses: config.dataClasses.map(({ name }) => name),
    });
  } catch (error) {
    if (!(error instanceof PolicyLoadError)) throw error;
    const lines = error.problems.map((problem) => policyLine(config, problem));
    throw new Failure(`${count(lines.length, 'problem')} in the policies`, { lines, cause: error });
  }
}

/** Policy files are known by their name; people and editors want a path. */
export function policyLine(config: Config, problem: PolicyProblem): string {
  const path = join(config.policies.folder, problem.file);
  const shown = relative(process.cwd(), path);
  return problemText({ ...problem, file: shown.startsWith('..') && dirname(shown).startsWith('../..') ? path : shown });
}

export function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}

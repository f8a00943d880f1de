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
    throw configurationFailure(error, undefined);
  }
}

/** Checks the policies that the configuration names; problems as above. */
export function readPolicies(config: Config): PolicySet {
  const dataClasses = config.dataClasses.map(({ name }) => name);
  try {
    return compilePolicies({ files: config.policies.files, crypto: nodeCrypto, targets: config.targets, dataClasses });
  } catch (error) {
    throw configurationFailure(error, config);
  }
}

/** What is thrown for a configuration or policies that cannot be used, worded for people; anything else as it is. */
export function configurationFailure(error: unknown, config: Config | undefined): unknown {
  if (error instanceof ConfigError) {
    const lines = error.message.split('\n');
    return new Failure(`${count(lines.length, 'problem')} in the configuration`, { lines, cause: error });
  }
  if (error instanceof PolicyLoadError) {
    const lines = error.problems.map((problem) => (config === undefined ? problemText(problem) : policyLine(config, problem)));
    return new Failure(`${count(lines.length, 'problem')} in the policies`, { lines, cause: error });
  }
  return error;
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

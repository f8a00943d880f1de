import type { QueryParameter } from '../http/path.ts';
import { flagOf, parameterOf } from './request-info.ts';

/** What `exec`, `attach` and `portforward` are asked by their parameters (`PodExecOptions`, `PodAttachOptions`, `PodPortForwardOptions` of core/v1). */
export interface ExecOptions {
  /** Empty: the pod's only one. */
  readonly container: string;
  /** The words of the command, in order; of exec only. It is run as it is, by no shell. */
  readonly argv: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
  /** Of portforward over WebSocket; over SPDY each stream names its own. */
  readonly ports: readonly number[];
}

export function execOptions(parameters: readonly QueryParameter[]): ExecOptions {
  return {
    container: parameterOf(parameters, 'container') ?? '',
    argv: parameters.filter(({ name }) => name === 'command').map(({ value }) => value),
    stdin: flagOf(parameters, 'stdin'),
    stdout: flagOf(parameters, 'stdout'),
    stderr: flagOf(parameters, 'stderr'),
    tty: flagOf(parameters, 'tty'),
    ports: parameters
      .filter(({ name }) => name === 'ports')
      .flatMap(({ value }) => value.split(','))
      .map(Number)
      .filter((port) => Number.isInteger(port) && port > 0 && port < 65_536),
  };
}

import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';

/**
 * Keeps every core busy with a loop that gives way to anything else at once (SCHED_IDLE, sched(7)). With one client the cores sleep between any two steps of a statement, and on a virtual
 * machine it is the hypervisor that wakes them: 15 to 50 µs a step, four steps a statement with a proxy in between. So this tells what the programs need from what the machine needs.
 * Returns how to stop it.
 */
export function keepAwake(): () => Promise<void> {
  const loops = Array.from({ length: availableParallelism() }, () =>
    spawn('chrt', ['--idle', '0', 'sh', '-c', 'while :; do :; done'], { stdio: 'ignore' }),
  );
  const stop = (): void => {
    for (const loop of loops) loop.kill('SIGKILL');
  };
  process.once('exit', stop);
  for (const loop of loops) loop.once('error', (error) => console.error(`the cores are not kept awake: ${error.message}`));
  return async () => stop();
}

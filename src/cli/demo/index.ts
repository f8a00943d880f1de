import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../failure.ts';
import { note, print } from '../terminal.ts';
import { everyoneMayEnter } from './everyone-may-enter.ts';
import { invitation } from './invitation.ts';
import { keepPasses } from './passes.ts';
import { choosePorts } from './ports.ts';
import { Progress } from './progress.ts';
import { StopRequest } from './stop-request.ts';
import { playTour } from './tour/index.ts';
import { startDemoWorld, type DemoWorld } from './world.ts';

export interface DemoOptions {
  /** Play it instead of inviting to. */
  readonly tour: boolean;
  readonly port: number | undefined;
}

/**
 * The whole product in a temporary folder, until Ctrl-C or the end of the tour; then nothing of it is left. 0 where everything went as
 * it should. However this process ends, unless by SIGKILL, nothing stays behind.
 */
export async function demo(options: DemoOptions): Promise<0 | 1> {
  const stop = new StopRequest();
  const folder = newFolder();
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  process.once('exit', remove);
  const progress = new Progress();
  let world: DemoWorld | undefined;
  try {
    const ports = await choosePorts(options.port, options.tour);
    print(`Sallyport demo: everything runs on this machine, in ${folder}\n`);
    const { httpsPort, sshPort, ...others } = ports.chosen;
    world = await startDemoWorld({
      folder,
      logLevel: 'silent',
      ...others,
      crm: { httpsPort },
      machine: { sshPort },
      progress: (step) => progress.next(step, stop.signal),
    });
    const passes = await keepPasses(world);
    progress.done();
    for (const line of ports.remarks) note(line);
    try {
      if (options.tour) return await playTour(world, passes, stop.signal);
      for (const line of invitation(world, passes)) print(line);
      await stop.requested;
      return 0;
    } finally {
      passes.stop();
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    return options.tour ? 1 : 0;
  } finally {
    progress.broken();
    if (stop.signal.aborted) note('\nstopping …');
    await world?.close();
    remove();
    if (stop.signal.aborted) note(`stopped; ${folder} is removed`);
  }
}

/** PostgreSQL's user must be able to pass through the folders above, where this runs as root. */
function newFolder(): string {
  const root = process.getuid?.() === 0;
  const parent = [tmpdir(), '/tmp', '/var/tmp'].find((path) => plain.test(path) && (!root || everyoneMayEnter(path)));
  if (parent === undefined) {
    throw new Failure('no temporary folder can be used', {
      hint: 'set TMPDIR to one without special characters that every user may enter',
    });
  }
  const folder = mkdtempSync(join(parent, 'sallyport-demo-'));
  if (root) chmodSync(folder, 0o711);
  return folder;
}

/** Nothing in it has to be quoted in the lines to paste. */
const plain = /^[\w./+@-]+$/;

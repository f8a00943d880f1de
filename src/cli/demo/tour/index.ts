import { note, print } from '../../terminal.ts';
import { paint } from '../paint.ts';
import type { Passes } from '../passes.ts';
import type { DemoWorld } from '../world.ts';
import { psqlVersion } from './psql.ts';
import { Scene } from './scene.ts';
import { Stage } from './stage.ts';
import { heldDelete, ownRequest } from './step-approvals.ts';
import { alteredCopy, approvalsOnRecord, replayed, verifiedLog } from './step-evidence.ts';
import { overHttp } from './step-http.ts';
import { overSsh } from './step-ssh.ts';
import { dodges, droppedTable, fraudDesk, maskedRead } from './step-statements.ts';
import { Truth } from './truth.ts';

/** Plays the demo. 0 where every step did what it claims, else 1 after saying which one did not. */
export async function playTour(world: DemoWorld, passes: Passes, signal: AbortSignal): Promise<0 | 1> {
  const startedMs = performance.now();
  const version = psqlVersion();
  const stage = new Stage();
  const truth = await Truth.open(world);
  const scene = new Scene({ world, passes, stage, truth, stockClient: version !== undefined, signal });
  print(`\nThe client is ${version === undefined ? 'node-postgres, shown as psql would: no psql is installed' : `stock psql ${version}`}.`);
  print('Commands are shown as they would be typed in that folder.');
  print('✔ marks what was compared with the database itself or with the files, not only shown.');
  try {
    await maskedRead(scene);
    await dodges(scene);
    await droppedTable(scene);
    const approval = await heldDelete(scene);
    await ownRequest(scene);
    await fraudDesk(scene);
    await overHttp(scene);
    await overSsh(scene);
    await replayed(scene, approval);
    const record = await approvalsOnRecord(scene, approval);
    await verifiedLog(scene);
    await alteredCopy(scene, approval, record);
  } catch (error) {
    if (signal.aborted) throw error;
    print();
    for (const line of failureLines(error, stage.place)) note(paint('red', line));
    return 1;
  } finally {
    await truth.close();
  }
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  print(`\n${paint(['bold', 'green'], `Everything went as it should: ${stage.tally}, ${seconds} s.`)}`);
  print('Try it by hand: sallyport demo');
  return 0;
}

function failureLines(error: unknown, place: string): readonly string[] {
  const message = error instanceof Error ? error.message : String(error);
  return [
    `✘ ${place} did not go as it should`,
    ...message
      .trimEnd()
      .split('\n')
      .map((line) => `  ${line}`),
  ];
}

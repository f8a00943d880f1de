import { existsSync, readFileSync } from 'node:fs';
import type { Scene } from './scene.ts';
import { onMachine, type MachineAnswer } from './ssh.ts';
import { TourFailed } from './stage.ts';

/** A server: its log comes masked, a pipe is refused, a restart waits; then what happened is played back. */
export async function overSsh(scene: Scene): Promise<void> {
  const { stage, world } = scene;
  if (world.machine === undefined) return;
  stage.step(
    'A server over SSH: each command is decided as the shell would read it',
    'The job has a key that lives for minutes and opens this one target. The server’s own key stays with the gateway.',
  );
  const secrets = secretsOf(
    await scene.truth.cells(`select ssn from customers where id <= 12 union all select pan from cards where id <= 12`),
  );
  const shown = await typed(scene, 'tail -n 3 app.log');
  const text = shown.lines.join('\n');
  stage.check(
    shown.status === 0 &&
      shown.lines.length === 3 &&
      /ssn=\*{3}-\*\*-\d{4} card=\*+\d{4}/.test(text) &&
      !secrets.some((one) => text.includes(one)),
    'the log, with the SSNs and card numbers in it masked',
    () => text,
  );
  stage.gap();
  const dodge = await typed(scene, 'tail -n 3 app.log | base64');
  stage.check(dodge.status === 126, 'a pipe could hide what it shows: refused, exit status 126', () => dodge.lines.join('\n'));
  stage.gap();
  await heldRestart(scene, world.machine.journal);
  stage.gap();
  await playedBack(scene, secrets);
}

async function heldRestart(scene: Scene, journal: string): Promise<void> {
  const { stage } = scene;
  let told = (_line: string): void => {};
  const notice = new Promise<string>((resolve) => {
    told = resolve;
  });
  const later: string[] = [];
  const command = 'systemctl restart app';
  stage.typed('pipeline$', `sallyport connect app-1 -- ${command}`);
  const answered = onMachine(scene, command, (line) => {
    if (!line.includes('approvals/')) return void later.push(line);
    stage.heard(line);
    told(line);
  });
  answered.catch(() => {});
  const first = await Promise.race([notice, answered]);
  const id = typeof first === 'string' ? /approvals\/([0-9a-f]+)/.exec(first)?.[1] : undefined;
  if (id === undefined) throw new TourFailed(`expected: “${command}” is held\nfound: ${JSON.stringify(first)}`);
  stage.check(!existsSync(journal), 'held: the server has not seen it');
  stage.gap();
  const approved = await scene.cli('erin', ['approvals', 'approve', id, '--reason', 'ticket OPS-121']);
  const answer = await answered;
  stage.gap();
  stage.typed('pipeline$', `sallyport connect app-1 -- ${command}  (still waiting, now answered)`);
  for (const line of later) stage.heard(line);
  const done = existsSync(journal) ? readFileSync(journal, 'utf8') : '';
  stage.check(approved.code === 0 && answer.status === 0 && done === 'restart app\n', 'Erin approves; the restart runs, once', () =>
    [approved.text, ...answer.lines, done].join('\n'),
  );
}

async function playedBack(scene: Scene, secrets: readonly string[]): Promise<void> {
  const { stage } = scene;
  const { text } = await scene.quietCli('uma', 'sessions', 'list', '--target', 'app-1', '--json');
  const sessions = JSON.parse(text) as readonly { readonly id: string }[];
  const first = sessions.at(-1)?.id ?? '';
  const replay = await scene.cli('uma', ['sessions', 'replay', first]);
  const cast = await scene.quietCli('uma', 'sessions', 'replay', first, '--asciicast');
  const recordings: string[] = [replay.text, cast.text];
  for (const { id } of sessions) recordings.push((await scene.quietCli('uma', 'sessions', 'replay', id)).text);
  stage.check(
    replay.code === 0 && replay.text.includes('tail -n 3 app.log') && replay.text.includes('payment declined'),
    'played back as the client saw it',
    () => replay.text,
  );
  stage.check(
    cast.code === 0 && cast.text.startsWith('{"version":3') && !recordings.some((one) => secrets.some((secret) => one.includes(secret))),
    'and as a file for any asciinema player; no SSN and no card number is in any of these recordings',
    () => cast.text,
  );
}

async function typed(scene: Scene, command: string): Promise<MachineAnswer> {
  const { stage } = scene;
  stage.typed('pipeline$', `sallyport connect app-1 -- ${/^[\w ./-]+$/.test(command) ? command : `'${command}'`}`);
  return await onMachine(scene, command, (line) => stage.heard(line));
}

function secretsOf(cells: readonly string[]): readonly string[] {
  if (cells.length < 20) throw new TourFailed('expected: SSNs and card numbers to look for');
  return cells;
}

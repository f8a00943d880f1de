import type { Scene } from './scene.ts';
import type { Answer, SqlSession } from './sql-session.ts';
import { TourFailed } from './stage.ts';

/** A request that was answered, as later steps look for it. */
export interface HeldApproval {
  readonly id: string;
  readonly session: string;
  readonly reason: string;
}

export async function heldDelete(scene: Scene): Promise<HeldApproval> {
  const { stage, truth } = scene;
  stage.step(
    'A DELETE of every row: held until someone else approves it',
    'The client is told at once and waits. Nothing has reached the database.',
  );
  const reason = 'ticket OPS-114';
  const session = await scene.session('pipeline');
  await scene.sql(session, 'begin;');
  const { approval: id, answer: answered } = await held(scene, session, 'delete from payments;');
  const [running] = await truth.cells("select count(*) from pg_stat_activity where usename = 'gateway' and query ilike 'delete%'");
  stage.check(running === '0', 'held: the database has not seen it', () => `${running} such statements`);

  stage.gap();
  const list = await scene.cli('erin', ['approvals', 'show', id]);
  const own = await scene.cli('pipeline', ['approvals', 'approve', id]);
  const outsider = await scene.cli('omar', ['approvals', 'approve', id]);
  stage.check(
    list.code === 0 && list.text.includes('delete from payments;'),
    'the reviewer sees exactly what would run, and whose job it is',
  );
  stage.check(own.code === 1, 'the job cannot approve its own request', () => own.text);
  stage.check(outsider.code === 1, 'nor can someone who is no DBA', () => outsider.text);

  stage.gap();
  const approved = await scene.cli('erin', ['approvals', 'approve', id, '--reason', reason]);
  const answer = await answered();
  await scene.sql(session, 'rollback;');
  await session.close();
  stage.check(
    approved.code === 0 && answer.sqlstate === '00000' && answer.lines.includes('DELETE 100000'),
    'Erin approves; the waiting client gets its answer',
    () => [approved.text, ...answer.lines].join('\n'),
  );
  const [rows] = await truth.cells('select count(*) from payments');
  stage.check(rows === '100000', 'rolled back: all 100,000 rows are there', () => `${rows} rows`);
  const detail = JSON.parse((await scene.quietCli('erin', 'approvals', 'show', id, '--json')).text) as { session: string };
  return { id, session: detail.session, reason };
}

export async function ownRequest(scene: Scene): Promise<void> {
  const { stage, truth } = scene;
  stage.step('Nobody approves their own request', 'Gina is a DBA on deployment duty: she may ask, and she may approve, but not both.');
  const session = await scene.session('gina');
  const before = await truth.cells('select sum(balance) from accounts');
  const { approval: id, answer: answered } = await held(scene, session, 'update accounts set balance = balance + 1;');
  const own = await scene.cli('gina', ['approvals', 'approve', id]);
  const denied = await scene.cli('frank', ['approvals', 'deny', id, '--reason', 'outside the change window']);
  const answer = await answered();
  await session.close();
  stage.check(own.code === 1, 'she is a DBA and still cannot approve it', () => own.text);
  const text = answer.lines.join('\n');
  stage.check(
    denied.code === 0 && answer.sqlstate === '42501' && text.includes('outside the change window'),
    'Frank denies it, and her client is told why',
    () => text,
  );
  const after = await truth.cells('select sum(balance) from accounts');
  stage.check(before[0] === after[0], 'no balance has changed', () => `${before[0]} became ${after[0]}`);
}

/** A statement that waits for an answer. */
interface Held {
  readonly approval: string;
  /** Waits for the client's answer and shows it. */
  readonly answer: () => Promise<Answer>;
}

/** Sends a statement that must be held. What comes after the notice is shown when it is asked for: others speak meanwhile. */
async function held(scene: Scene, session: SqlSession, statement: string): Promise<Held> {
  const { stage } = scene;
  let told = (_line: string): void => {};
  const notice = new Promise<string>((resolve) => {
    told = resolve;
  });
  const later: string[] = [];
  stage.typed('orders=>', statement);
  const answered = session.run(statement, (line) => {
    if (!line.includes('waiting for approval')) return void later.push(line);
    stage.heard(line);
    told(line);
  });
  // Awaited below only once the others have spoken; whether it fails is told there.
  answered.catch(() => {});
  const first = await Promise.race([notice, answered]);
  const approval = typeof first === 'string' ? /approvals\/([0-9a-f]+)/.exec(first)?.[1] : undefined;
  if (approval === undefined) throw new TourFailed(`expected: “${statement}” is held\nfound: ${JSON.stringify(first)}`);
  return {
    approval,
    answer: async () => {
      const answer = await answered;
      stage.gap();
      stage.typed('orders=>', `${statement}  (still waiting, now answered)`);
      for (const line of later) stage.heard(line);
      return answer;
    },
  };
}

import { connectionString } from '../connection.ts';
import type { Scene } from './scene.ts';
import type { Answer } from './sql-session.ts';

export async function maskedRead(scene: Scene): Promise<void> {
  const { stage, truth } = scene;
  stage.step(
    'A SELECT: what is sensitive comes back masked',
    'A CI job connects. The password is the job’s own OIDC token; it has no other secret.',
  );
  stage.typed('pipeline$', `PGPASSWORD=$(cat pipeline.token) psql "${connectionString(scene.world, 'ci')}"`);
  const session = await scene.session('pipeline');
  const customers = await scene.sql(session, 'select id, name, ssn, profile from customers order by id limit 3;');
  const cards = await scene.sql(session, 'select id, pan, expires from cards order by id limit 3;');
  await session.close();
  const ssns = await truth.cells('select ssn from customers order by id limit 3');
  const pans = await truth.cells('select pan from cards order by id limit 3');
  stage.check(
    succeeded(customers) && ssns.every((ssn) => !text(customers).includes(ssn) && text(customers).includes(`***-**-${ssn.slice(-4)}`)),
    `none of the ${ssns.length} SSNs is there, in the column or inside the JSON: each shows its last four digits`,
    () => text(customers),
  );
  stage.check(
    succeeded(cards) && pans.every((pan) => !text(cards).includes(pan) && text(cards).includes(`*${pan.slice(-4)}`)),
    `none of the ${pans.length} card numbers is there`,
    () => text(cards),
  );
}

export async function dodges(scene: Scene): Promise<void> {
  const { stage, truth } = scene;
  stage.step(
    'Dodges: a new name, a cast, an expression, a view, an error',
    'Masking follows where a value comes from. Where that cannot be told, the whole field is masked.',
  );
  const session = await scene.session('pipeline');
  await session.rowsAlone(true);
  const all = new Set(await truth.cells('select ssn from customers'));
  for (const statement of dodgingStatements) {
    const answer = await scene.sql(session, `${statement};`);
    const real = await truth.cells(statement);
    const shown = text(answer);
    const leaks = [...real.filter((cell) => shown.includes(cell)), ...(shown.match(ssnShape) ?? []).filter((ssn) => all.has(ssn))];
    if (leaks.length > 0 || real.length === 0 || answer.lines.length === 0)
      stage.check(false, `“${statement}” shows nothing real`, () => shown);
  }
  await session.close();
  stage.check(true, `${dodgingStatements.length} statements; run directly in the database each shows the real value, here none does`);
}

export async function droppedTable(scene: Scene): Promise<void> {
  const { stage, truth } = scene;
  stage.step('A DROP: refused, by which policy, and what to do', 'The session stays alive.');
  const session = await scene.session('pipeline');
  const refused = await scene.sql(session, 'drop table payments;');
  const next = await scene.sql(session, 'select count(*) from payments;');
  await session.close();
  stage.check(
    refused.sqlstate === '42501' && text(refused).includes('no one drops tables or databases'),
    'refused with SQLSTATE 42501 and the name of the policy',
    () => text(refused),
  );
  const [exists] = await truth.cells("select to_regclass('public.payments') is not null");
  stage.check(exists === 't' && succeeded(next), 'the table is still there, and the same session goes on', () => text(next));
}

export async function fraudDesk(scene: Scene): Promise<void> {
  const { stage, truth } = scene;
  stage.step(
    'Seeing is a permission: the fraud desk',
    'Omar’s group may see card numbers, and nothing else that is masked. The statement is an ordinary join.',
  );
  const session = await scene.session('omar');
  const from = 'from cards c join accounts a on a.id = c.account_id join customers k on k.id = a.customer_id order by c.id limit 2';
  const answer = await scene.sql(session, `select k.name, c.pan, k.ssn ${from};`);
  await session.close();
  const pans = await truth.cells(`select c.pan ${from}`);
  const ssns = await truth.cells(`select k.ssn ${from}`);
  stage.check(succeeded(answer) && pans.every((pan) => text(answer).includes(pan)), 'he sees the real card numbers', () => text(answer));
  stage.check(
    ssns.every((ssn) => !text(answer).includes(ssn) && text(answer).includes(`***-**-${ssn.slice(-4)}`)),
    'and no SSN',
    () => text(answer),
  );
}

function succeeded(answer: Answer): boolean {
  return answer.sqlstate === '00000';
}

function text(answer: Answer): string {
  return answer.lines.join('\n');
}

/** Each one of these shows something real where nobody masks. */
const dodgingStatements: readonly string[] = [
  'select ssn as ticket from customers order by id limit 1',
  'select ssn::text from customers order by id limit 1',
  "select reverse(ssn) || '' from customers order by id limit 1",
  "select encode(ssn::bytea, 'base64') from customers order by id limit 1",
  'select row_to_json(c) from customers c order by id limit 1',
  "select profile ->> 'ssn' from customers order by id limit 1",
  'select reference from customer_contacts order by id limit 1',
  'select max(ssn) from customers',
  "select memo from payments where memo like 'card %' order by id limit 1",
  'select ssn::int from customers order by id limit 1',
];

const ssnShape = /\d{3}-\d{2}-\d{4}/g;

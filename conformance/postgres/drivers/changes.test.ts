import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { eventually, startBank, type Bank } from '../../harness.ts';
import { fieldsOf, message, Wire } from './wire.ts';

let bank: Bank;
before(async () => {
  bank = await startBank();
});
after(async () => {
  await bank.close();
});

describe('a prepared statement', () => {
  it('is decided each time that it runs, by the policy of that moment', async () => {
    const file = join(bank.folder, 'policies', '90-later.cedar');
    const client = new pg.Client(await bank.client('pipeline'));
    await client.connect();
    try {
      const run = () => client.query({ name: 'kept', text: 'select account_id from cards where id = $1', values: [7] });
      const { rows } = await run();
      writeFileSync(file, '@id("cards are closed") forbid (principal, action, resource == Relation::"orders/public.cards");\n');
      const refused = await eventually('the refusal', () =>
        run().then(
          () => undefined,
          (error: unknown) => error as pg.DatabaseError,
        ),
      );
      assert.equal(refused.code, '42501');
      assert.match(refused.message, /cards are closed/);
      assert.deepEqual((await client.query('select 1 as one')).rows, [{ one: 1 }]);
      rmSync(file);
      assert.deepEqual(
        await eventually('the answer', () =>
          run().then(
            (result) => result.rows,
            () => undefined,
          ),
        ),
        rows,
      );
    } finally {
      await client.end();
    }
  });
});

describe('a pipeline whose first statement fails while a later one is held', () => {
  for (const answer of ['approve', 'deny'] as const) {
    it(`does not send the later one, and stays in step: ${answer}`, async () => {
      const wire = await signedIn();
      wire.write(Buffer.concat([...extended('select 1/0'), ...extended('delete from cards'), message('S')]));
      const { id } = await eventually('the request', async () => {
        const found = (await bank.api('dba-erin', '/api/v1/approvals?state=pending')) as { approvals: readonly { id: string }[] };
        return found.approvals[0];
      });
      const error = (await wire.receiveUntil('E')).at(-1)!;
      assert.equal(fieldsOf(error).get('C'), '22012');
      await bank.api('dba-erin', `/api/v1/approvals/${id}/${answer}`, { method: 'POST', body: '{"reason":"either way"}' });
      assert.deepEqual(
        (await wire.receiveUntil('Z')).map(({ tag }) => tag).filter((tag) => tag !== 'N'),
        ['Z'],
      );
      wire.write(Buffer.concat([...extended('select 41 + 1'), message('S')]));
      const answers = await wire.receiveUntil('Z');
      assert.deepEqual(
        answers.map(({ tag }) => tag),
        ['1', '2', 'D', 'C', 'Z'],
      );
      assert.match(answers[2]!.body.toString('latin1'), /42$/);
      assert.equal((await bank.direct('select count(*)::int as n from cards')).rows[0].n, 6000);
      wire.close();
    });
  }
});

async function signedIn(): Promise<Wire> {
  const wire = await Wire.open(bank.postgresPort);
  await wire.encrypt(readFileSync(bank.authorityFile, 'utf8'));
  wire.startup(0, [
    ['user', 'ci'],
    ['database', 'orders'],
  ]);
  await wire.receive();
  wire.send('p', await bank.issuer.mint('pipeline'));
  assert.equal((await wire.receiveUntil('ZE')).at(-1)?.tag, 'Z');
  return wire;
}

/** Parse, Bind and Execute, all of them unnamed, with nothing bound. */
function extended(sql: string): readonly Buffer[] {
  return [message('P', '', sql, Buffer.alloc(2)), message('B', '', '', Buffer.alloc(6)), message('E', '', Buffer.alloc(4))];
}

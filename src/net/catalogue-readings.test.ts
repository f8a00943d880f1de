import assert from 'node:assert/strict';
import { it } from 'node:test';
import type pg from 'pg';
import { CatalogueReadings } from './catalogue-readings.ts';

type Rows = readonly (readonly (string | null)[])[];

/** A server whose answers, in the order of `catalogueQueries`, are the next of these. */
function clientWith(...readings: readonly { readonly relations: Rows; readonly columns: Rows }[]): pg.Client {
  const waiting = [...readings];
  const query = async (asked: string | { readonly text: string }): Promise<unknown> => {
    if (typeof asked === 'string') return [];
    const { relations, columns } = waiting.shift()!;
    return [[], [], [['700']], relations, columns, [], [], [], [], [], []].map((rows) => ({ rows }));
  };
  return { query } as unknown as pg.Client;
}

function table(oid: number, columns: number): { readonly relation: Rows[0]; readonly columns: Rows } {
  return {
    relation: [String(oid), 'public', `t${oid}`, 'r', 'f', 'f', 'f'],
    columns: Array.from({ length: columns }, (_, index) => [String(oid), String(index + 1), `c${index}`, '25']),
  };
}

it('sessions have their turn while a large catalogue is taken in, and before anything is made of it', async () => {
  const tables = Array.from({ length: 2_000 }, (_, index) => table(20_000 + index, 10));
  const large = { relations: tables.map(({ relation }) => relation), columns: tables.flatMap(({ columns }) => columns) };
  const readings = new CatalogueReadings(clientWith(large, { relations: large.relations, columns: [] }));
  const turnsOf = async (reading: Promise<unknown>): Promise<number> => {
    let turns = 0;
    let isOver = false;
    const take = (): void => {
      if (isOver) return;
      turns += 1;
      setImmediate(take);
    };
    setImmediate(take);
    await reading;
    isOver = true;
    return turns;
  };
  assert.ok((await turnsOf(readings.next())) > 10, 'twenty thousand columns');
  assert.equal(await turnsOf(readings.next()), 1, 'nothing new: one, before anything is made of it');
});

it('what a reading does not name anew stays as it was, and what is gone is gone', async () => {
  const [one, other, third] = [table(20_001, 2), table(20_002, 1), table(20_003, 0)];
  const readings = new CatalogueReadings(
    clientWith(
      { relations: [one.relation, other.relation], columns: [...one.columns, ...other.columns] },
      { relations: [one.relation, third.relation], columns: [[String(20_003), null, null, null]] },
      { relations: [table(20_004, 1).relation], columns: [] },
    ),
  );
  const first = await readings.next();
  assert.deepEqual(
    [...first.columns],
    [
      [
        20_001,
        new Map([
          [1, 'c0'],
          [2, 'c1'],
        ]),
      ],
      [20_002, new Map([[1, 'c0']])],
    ],
  );
  const second = await readings.next();
  assert.deepEqual(
    [...second.columns],
    [
      [20_001, first.columns.get(20_001)],
      [20_003, new Map()],
    ],
  );
  assert.deepEqual(
    [...second.columnTypes!],
    [
      [
        20_001,
        new Map([
          [1, 25],
          [2, 25],
        ]),
      ],
      [20_003, new Map()],
    ],
  );
  await assert.rejects(readings.next(), /no columns of relation 20004/);
});

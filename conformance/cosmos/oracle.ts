import assert from 'node:assert/strict';
import type { Container } from '@azure/cosmos';
import fc from 'fast-check';
import { startHouse, type House } from './house.ts';

/**
 * Random queries over two containers that hold the same but for what is hidden. Nothing of a hidden value may come back, in rows, headers or continuation tokens; and
 * where no condition is about a hidden place, both have to answer the very same.
 */
export interface Oracle {
  readonly house: House;
  /** Throws for a query whose answers differ, or give something away. Tells how many of the queries were answered. */
  alike(runs: number): Promise<{ readonly asked: number; readonly answered: number }>;
  /** The same of queries with conditions about hidden places, whose answers may differ. */
  withConditions(runs: number): Promise<void>;
}

export async function startOracle(): Promise<Oracle> {
  const house = await startHouse({
    adjust(config) {
      const place = (path: string): readonly string[] => ['one', 'two'].map((database) => `bank/${database}/customers#${path}`);
      config['data_classes'] = {
        ssn: { paths: place('$.ssn'), mask: 'redact' },
        'account-number': { paths: place('$.accounts[*].number'), mask: 'redact' },
        salary: { paths: place('$.job.salary'), mask: 'redact' },
      };
    },
  });
  const client = house.direct();
  for (const [database, sign] of [
    ['one', 'Ж'],
    ['two', 'Щ'],
  ] as const) {
    const { database: made } = await client.databases.create({ id: database });
    const { container } = await made.containers.create({ id: 'customers', partitionKey: { paths: ['/city'] } });
    await fill(container, sign);
  }
  return {
    house,
    async alike(runs) {
      let [asked, answered] = [0, 0];
      await fc.assert(
        fc.asyncProperty(query(conditions), async (text) => {
          const [one, two] = [await ask(house, 'one', text), await ask(house, 'two', text)];
          asked += 1;
          if (one.status === 200) answered += 1;
          assert.ok(one.status === 200 || one.status === 403 || one.status === 400, `${text}: ${one.status} ${one.text}`);
          assert.ok(!leaks(one) && !leaks(two), `${text}: ${one.text} ${one.headers.join()}`);
          assert.equal(comparable(one), comparable(two), text);
        }),
        { numRuns: runs },
      );
      return { asked, answered };
    },
    async withConditions(runs) {
      await fc.assert(
        fc.asyncProperty(query(asking), async (text) => {
          const one = await ask(house, 'one', text);
          assert.ok(!leaks(one), `${text}: ${one.text} ${one.headers.join()}`);
        }),
        { numRuns: runs },
      );
    },
  };
}

async function fill(container: Container, sign: 'Ж' | 'Щ'): Promise<void> {
  const length = sign === 'Ж' ? 3 : 7;
  for (const [index, name] of ['Ann', 'Bob', 'Cid'].entries()) {
    await container.items.create({
      id: `i${index}`,
      city: 'Bern',
      name,
      age: 30 + index,
      tags: ['red', 'blue'].slice(index % 2),
      ssn: `${sign.repeat(length + index)}-tail`,
      accounts: [
        { number: sign.repeat(length), kind: 'giro' },
        { number: sign.repeat(length + 2), kind: 'deposit' },
      ],
      job: { title: 'clerk', salary: sign === 'Ж' ? 918_273 : 645_546 },
    });
  }
}

// ---- queries

const plain = fc.constantFrom(
  'c.name',
  'c.age',
  'c.city',
  'c.tags',
  'c.job.title',
  '1',
  '"x"',
  'null',
  'c["name"]',
  'ARRAY_LENGTH(c.tags)',
);
const hidden = fc.constantFrom(
  'c.ssn',
  'c["ssn"]',
  'c["s\\u0073n"]',
  "c['ssn']",
  'c.accounts',
  'c.accounts[0]',
  'c.accounts[1].number',
  'c.job',
  'c.job.salary',
  'c["job"]["salary"]',
  'c',
);

/** Expressions; with the same places defined, they are defined alike, whatever the values. */
const { total } = fc.letrec<{ total: string }>((tie) => ({
  total: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { arbitrary: hidden, weight: 3 },
    { arbitrary: plain, weight: 2 },
    tie('total').map((one) => `ToString(${one})`),
    tie('total').map((one) => `UPPER(ToString(${one}))`),
    tie('total').map((one) => `REVERSE(LOWER(ToString(${one})))`),
    tie('total').map((one) => `LENGTH(ToString(${one}))`),
    tie('total').map((one) => `LEFT(ToString(${one}), 2)`),
    tie('total').map((one) => `CONCAT("<", ToString(${one}), ">")`),
    tie('total').map((one) => `IS_STRING(${one})`),
    tie('total').map((one) => `[${one}, 1]`),
    tie('total').map((one) => `[${one}][0]`),
    tie('total').map((one) => `{"k": ${one}}`),
    tie('total').map((one) => `{"k": ${one}}.k`),
    tie('total').map((one) => `(SELECT VALUE ${one})`),
    tie('total').map((one) => `ARRAY(SELECT VALUE ${one})`),
    tie('total').map((one) => `ARRAY(SELECT VALUE t FROM t IN c.tags WHERE t != ToString(${one}))`),
    tie('total').map((one) => `EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = ToString(${one}))`),
    tie('total').map((one) => `(SELECT VALUE COUNT(1) FROM a IN c.accounts WHERE STARTSWITH(a.number, LEFT(ToString(${one}), 1)))`),
    tie('total').map((one) => `OBJECTTOARRAY({"k": ${one}})`),
    fc.tuple(tie('total'), tie('total')).map(([a, b]) => `(${a} ?? ${b})`),
    fc.tuple(tie('total'), tie('total')).map(([a, b]) => `(IS_STRING(${a}) ? ${b} : 0)`),
    fc.tuple(tie('total'), tie('total')).map(([a, b]) => `(ToString(${a}) = ToString(${b}))`),
  ),
}));

const conditions = fc.oneof(
  plain.map((one) => `IS_DEFINED(${one})`),
  fc.constantFrom('c.age > 30', 'EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = "red")', 'c.name LIKE "%n%"'),
);
const asking = total.map((one) => `LENGTH(ToString(${one})) > 4`);
const from = fc.constantFrom(
  'FROM c',
  'FROM root c',
  'FROM customers c',
  'FROM c JOIN t IN c.tags',
  'FROM c JOIN a IN c.accounts',
  'FROM c JOIN (SELECT VALUE {"n": a.number, "k": a.kind} FROM a IN c.accounts) AS a',
  'FROM c JOIN a IN (SELECT VALUE c.accounts)',
);
const selection = (source: string): fc.Arbitrary<string> =>
  fc.oneof(
    total.map((one) => `VALUE ${one}`),
    fc.tuple(total, total).map(([a, b]) => `${a} AS harmless, ${b} AS k2, c.name`),
    fc.constantFrom(
      'c',
      'c.ssn, c.job',
      'c.accounts',
      'VALUE c.job',
      'VALUE MAX(c.ssn)',
      'VALUE MIN(ToString(c))',
      'VALUE COUNT(1)',
      'VALUE COUNT(c.ssn)',
      'VALUE SUM(c.job.salary)',
      'VALUE [{"item": {"max": MAX(c.job.salary), "count": COUNT(c.job.salary)}}]',
    ),
    ...(source.includes('JOIN')
      ? [fc.constantFrom('VALUE a', 'VALUE t', 'a.number AS n', 'a.n AS n', 'VALUE {"all": a}')]
      : [fc.constant('*')]),
  );
const rest = fc.constantFrom(
  '',
  '',
  'ORDER BY c.name',
  'ORDER BY c.age DESC',
  'ORDER BY c.ssn',
  'ORDER BY c.job.salary',
  'GROUP BY c.city',
  'GROUP BY c.ssn',
  'OFFSET 0 LIMIT 2',
);
const query = (where: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  from.chain((source) =>
    fc
      .tuple(fc.constantFrom('', '', 'DISTINCT ', 'TOP 2 '), selection(source), fc.option(where, { nil: undefined }), rest)
      .map(
        ([first, selected, condition, last]) =>
          `SELECT ${first}${selected} ${source}${condition === undefined ? '' : ` WHERE ${condition}`} ${last}`,
      ),
  );

interface Answered {
  readonly status: number;
  readonly text: string;
  readonly headers: readonly string[];
}

async function ask(house: House, database: string, text: string): Promise<Answered> {
  const {
    status,
    headers,
    text: body,
  } = await house.send(
    'pipeline',
    'POST',
    `/cosmos/bank/dbs/${database}/colls/customers/docs`,
    {
      'content-type': 'application/query+json',
      'x-ms-documentdb-isquery': 'true',
      'x-ms-documentdb-partitionkey': '["Bern"]',
      'x-ms-max-item-count': '2',
    },
    JSON.stringify({ query: text }),
  );
  return { status, text: body, headers: [...headers].map(([name, value]) => `${name}: ${value}`) };
}

/** Whether something of a hidden value is in it: in whatever case, order, escape or base64. */
export function leaks({ text, headers }: Answered): boolean {
  const all = [text, ...headers].join('\n');
  const decoded = [...all.matchAll(/[A-Za-z0-9_-]{8,}/g)].map(([part]) => Buffer.from(part, 'base64url').toString());
  return /[ЖжЩщ]|\\u04[13][69]|918273|645546/.test([all, ...decoded].join('\n'));
}

/** Without what differs between two containers anyway. */
function comparable({ status, text }: Answered): string {
  return `${status} ${text.replaceAll(/"(?:_rid|_self|_etag)":"(?:[^"\\]|\\.)*"|"_ts":\d+/g, '""').replaceAll(/ActivityId: \S+"|"(?:operation)":"[^"]*"|databases?\/(?:one|two)/g, '')}`;
}

import assert from 'node:assert/strict';
import { findCanary } from './canaries.ts';
import { startSite, type Mode, type Session, type Site } from './site.ts';
import { fieldsOf, type WireMessage } from '../drivers/wire.ts';
import { after, before, describe, it } from 'node:test';

/**
 * What somebody tries who may do everything but see. A step is a simple query; what stands in front of it says otherwise:
 * - `refused:` the gateway refuses it in `taint`;
 * - `second:` another session sends it; `extended:` and `binary:` it goes by Parse, Bind and Execute.
 * `{port}` is the server's own.
 */
export interface Attack {
  readonly name: string;
  readonly steps: readonly string[];
  /** Something of it may last: all is made anew afterwards. */
  readonly lasts?: true;
  /** Not even the server shows a value here: what is tried is that it stays so, and works. */
  readonly silent?: true;
}

/**
 * Each attack is tried around the gateway first, where it shows a value (else it would prove nothing), then through it in both modes. There it ends
 * as it did around it, or is refused where it says so, and no byte of any session shows anything.
 */
export function describeAttacks(what: string, attacks: readonly Attack[]): void {
  void describe(what, () => {
    for (const attack of attacks) void it(attack.name, () => withstands(site, attack));
  });
}

/** One for all that a test file describes. */
let site: Site;
before(async () => {
  site = await startSite();
  await site.remake();
});
after(async () => {
  await site.close();
});

async function withstands(within: Site, attack: Attack): Promise<void> {
  const steps = attack.steps.map((text) => stepOf(text.replaceAll('{port}', String(within.serverPort))));
  try {
    const around = await attempt(() => within.around(), steps);
    const shown = around.shown.find((found) => found !== undefined);
    assert.equal(shown !== undefined, attack.silent !== true, `around the gateway it shows ${shown}, and ends ${around.ends.join('; ')}`);
    for (const mode of ['taint', 'strict'] as const) {
      if (attack.lasts) await within.remake();
      compare(mode, steps, around, await attempt(() => within.through(mode), steps));
    }
  } finally {
    if (attack.lasts) await within.remake();
  }
}

function compare(mode: Mode, steps: readonly Step[], around: Attempt, through: Attempt): void {
  let hasDiverged = false;
  for (const [index, { sql, refused }] of steps.entries()) {
    const where = `${mode}: ${sql}`;
    assert.equal(through.shown[index], undefined, where);
    if (hasDiverged) continue;
    const end = through.ends[index];
    if (mode === 'taint') assert.equal(end, refused ? 'refused' : around.ends[index], where);
    else if (end !== 'refused') assert.equal(end, around.ends[index], where);
    hasDiverged = end === 'refused';
  }
}

interface Step {
  readonly sql: string;
  readonly refused: boolean;
  readonly second: boolean;
  readonly way: 'simple' | 'extended' | 'binary';
}

interface Attempt {
  /** By step: the tag of what was completed last, or the SQLSTATE of the error; `refused` by the gateway for masking. */
  readonly ends: readonly string[];
  /** By step: the first canary in what came. */
  readonly shown: readonly (string | undefined)[];
}

async function attempt(open: () => Promise<Session>, steps: readonly Step[]): Promise<Attempt> {
  const sessions = new Map<boolean, Session>();
  const ends: string[] = [];
  const shown: (string | undefined)[] = [];
  try {
    for (const { sql, second, way } of steps) {
      const session = sessions.get(second) ?? (await open());
      sessions.set(second, session);
      const answer = await (way === 'simple' ? session.query(sql) : session.extended(sql, way === 'binary' ? 1 : 0));
      ends.push(endOf(answer));
      shown.push(findCanary(Buffer.concat([...sessions.values()].map((one) => one.taken()))));
    }
    return { ends, shown };
  } finally {
    for (const session of sessions.values()) session.close();
  }
}

function endOf(answer: readonly WireMessage[]): string {
  const error = answer.find(({ tag }) => tag === 'E');
  if (error === undefined) return (answer.findLast(({ tag }) => tag === 'C')?.body.toString() ?? 'closed').replace('\0', '');
  const fields = fieldsOf(error);
  return /may not see|masking is strict/.test(fields.get('M') ?? '') ? 'refused' : (fields.get('C') ?? '');
}

function stepOf(text: string): Step {
  const words = new Set<string>();
  let sql = text;
  for (let found = marker.exec(sql); found !== null; found = marker.exec(sql)) {
    words.add(found[1]!);
    sql = sql.slice(found[0].length);
  }
  const way = words.has('binary') ? 'binary' : words.has('extended') ? 'extended' : 'simple';
  return { sql, refused: words.has('refused'), second: words.has('second'), way };
}

const marker = /^(refused|second|extended|binary): /;

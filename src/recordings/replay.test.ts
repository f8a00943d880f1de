import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { escapeLine } from '../core/escape.ts';
import { replay, type ReplayResult } from './render.ts';
import { readTimeline, type TimelineItem } from './timeline.ts';

const header = {
  format: 'sallyport-recording',
  version: 1,
  session: 's-1',
  started: '2027-03-05T10:00:00.000Z',
  target: { name: 'orders', protocol: 'postgres', labels: {} },
  principal: { issuer: 'github', subject: 'repo', kind: 'agent', display: 'the \u001b[31mjob', groups: [], claims: {} },
};
const events = [
  {
    at: 0,
    event: 'decided',
    operation: 's-1-1',
    decision: 'allow',
    text: 'SELECT\n\t1\u202e',
    text_exact: false,
    parameters: ['a\u001b]52;c;x\u0007', null],
  },
  { at: 1500, event: 'sample', operation: 's-1-1', columns: ['a\u200b'], rows: [['\r\u009b2J'], [null]] },
  {
    at: 1501,
    event: 'completed',
    operation: 's-1-1',
    outcome: 'failed',
    error_code: '42P01',
    rows: 0,
    bytes: 12,
    duration_ms: 2.5,
    masked: { ssn: 2 },
  },
  { at: 3_661_001, event: 'decided', operation: 's-1-2', decision: 'deny', code: 'policy-denied', text: 'DROP TABLE x', text_exact: true },
  {
    at: 3_661_001,
    event: 'decided',
    operation: 's-1-3',
    decision: 'allow',
    text: 'EXECUTE a --\nby name, it runs\n  SELECT 1',
    text_exact: false,
    runs: ['PREPARE a AS\n  DELETE\u001b'],
  },
  { at: 3_661_002, event: 'stream', operation: 's-1-3', stream: 'output', text: '$ ls\r\n\u001b[2Jx' },
  {
    at: 3_661_002,
    event: 'transfer',
    operation: 's-1-3',
    path: '/a\u001b[2J\nb',
    direction: 'download',
    bytes: 5,
    sha256: 'ab',
    in_order: false,
    masked: { ssn: 1 },
  },
  { at: 3_661_002, event: 'note', note: 'cancel', detail: { by: 'x\n!! ALTERED' } },
  { at: 3_661_003, event: 'gap', dropped: 3 },
  { at: 3_661_004, event: 'closed' },
];
const stored = [header, ...events].map((line) => `${JSON.stringify(line)}\n`).join('');
const sealed = { sha256: createHash('sha256').update(stored).digest('hex'), bytes: Buffer.byteLength(stored) };

describe('replay', () => {
  it('prints what happened, with nothing that steers a terminal', async () => {
    const { text, result, waits } = await play(stored);
    assert.deepEqual(result, { damagedLines: 0, closed: true, unaltered: true, sha256: sealed.sha256 });
    assert.deepEqual(waits, []);
    assert.equal(
      text,
      `session s-1 on orders (postgres), started 2027-03-05T10:00:00.000Z
by agent the \\u{1b}[31mjob (github: repo)
00:00:00.000  s-1-1 allowed
                SELECT
                    1\\u{202e}
              (masked or cut)
              $1 = a\\u{1b}]52;c;x\\u{7}
              $2 = NULL
00:00:01.500  s-1-1 sample of the result
              a\\u{200b}
              \\u{d}\\u{9b}2J
              NULL
00:00:01.501  s-1-1 failed 42P01: 0 rows, 12 bytes, 2.5 ms, masked: ssn 2
01:01:01.001  s-1-2 REFUSED policy-denied
                DROP TABLE x
01:01:01.001  s-1-3 allowed
                EXECUTE a --
                by name, it runs
                  SELECT 1
              (masked or cut)
              by name, it runs
                PREPARE a AS
                  DELETE\\u{1b}
01:01:01.002  s-1-3 output $ ls
                \\u{1b}[2Jx
01:01:01.002  s-1-3 gave out 5 bytes of /a\\u{1b}[2J\\u{a}b, sha256 ab, not in order, masked: ssn 1
01:01:01.002  note cancel by=x\\u{a}!! ALTERED
01:01:01.003  !! 3 events are missing: the disk did not keep up
01:01:01.004  session closed
`,
    );
  });

  it('keeps the time between events, scaled and bounded', async () => {
    assert.deepEqual((await play(stored, { speed: 1 })).waits, [1500, 1, 5000, 1, 1, 1]);
    assert.deepEqual((await play(stored, { speed: 2 })).waits, [750, 0.5, 5000, 0.5, 0.5, 0.5]);
  });

  it('finds an altered or a cut file', async () => {
    for (let at = 0; at < stored.length; at += 7) {
      const altered = Buffer.from(stored);
      altered[at] = altered[at]! ^ 1;
      assert.equal((await play(altered)).result.unaltered, false, `byte ${at}`);
      const cut = await play(Buffer.from(stored).subarray(0, at));
      assert.equal(cut.result.unaltered, false);
      assert.equal(cut.result.closed, false);
      assert.match(cut.text, /ALTERED|no end/);
    }
    assert.equal((await play(stored, { sealed: undefined })).result.unaltered, undefined);
  });
});

describe('reading a timeline', () => {
  it('reports damaged lines and goes on', async () => {
    const lines = [
      '{"format":"x"}',
      '{',
      '{"event":"decided"}',
      '{"at":-1,"event":"closed"}',
      '[]',
      'null',
      JSON.stringify(events[3]),
      '{"at":1',
    ];
    const items = await read([lines.join('\n')]);
    assert.deepEqual(
      items.map((item) => item.kind),
      ['damaged', 'damaged', 'damaged', 'damaged', 'damaged', 'damaged', 'event', 'damaged', 'end'],
    );
    assert.ok(items.at(-1)?.kind === 'end');
  });

  it('is the same however the bytes are cut', async () => {
    const bytes = Buffer.from(stored);
    const whole = await read([bytes]);
    for (let at = 0; at <= bytes.length; at++) assert.deepEqual(await read([bytes.subarray(0, at), bytes.subarray(at)]), whole);
    assert.deepEqual(await read([...bytes].map((byte) => Uint8Array.of(byte))), whole);
  });

  it('bounds the memory of a line without an end', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 0x20);
    const items = await read([
      JSON.stringify(header),
      '\n',
      ...Array.from({ length: 20 }, () => megabyte),
      '\n',
      JSON.stringify(events[6]),
      '\n',
    ]);
    assert.deepEqual(
      items.map((item) => item.kind),
      ['header', 'damaged', 'event', 'end'],
    );
  });

  it('survives any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), async (chunks) => {
        const items = await read(chunks);
        assert.equal(items.at(-1)?.kind, 'end');
        assert.equal(items.filter((item) => item.kind === 'event').length, 0);
      }),
    );
  });
});

describe('escapeLine', () => {
  it('leaves nothing hidden', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
        assert.doesNotMatch(escapeLine(text), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
      }),
    );
    assert.equal(escapeLine('Zürich 東京 🙂 a-b'), 'Zürich 東京 🙂 a-b');
    assert.equal(escapeLine(`\u00a0\u3164\u2800\u{e0041}${String.fromCharCode(0xd800)}`), '\\u{a0}\\u{3164}\\u{2800}\\u{e0041}\\u{d800}');
  });
});

async function play(
  content: string | Uint8Array,
  changes: { readonly speed?: number; readonly sealed?: undefined } = {},
): Promise<{ readonly text: string; readonly result: ReplayResult; readonly waits: readonly number[] }> {
  let text = '';
  const waits: number[] = [];
  const result = await replay(readTimeline(chunksOf([content])), {
    write: (part) => {
      text += part;
    },
    wait: (ms) => {
      waits.push(ms);
      return Promise.resolve();
    },
    speed: changes.speed,
    sealed: 'sealed' in changes ? undefined : sealed,
  });
  return { text, result, waits };
}

async function read(chunks: readonly (string | Uint8Array)[]): Promise<readonly TimelineItem[]> {
  const items: TimelineItem[] = [];
  for await (const item of readTimeline(chunksOf(chunks))) items.push(item);
  return items;
}

async function* chunksOf(chunks: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}

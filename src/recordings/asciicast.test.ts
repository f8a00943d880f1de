import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asciicast } from './asciicast.ts';
import { readTimeline } from './timeline.ts';

const header = {
  format: 'sallyport-recording',
  version: 1,
  session: 's-1',
  started: '2027-03-05T10:00:00.000Z',
  target: { name: 'aks', protocol: 'kubernetes', labels: {} },
  principal: { issuer: 'github', subject: 'repo', kind: 'agent', display: 'job', groups: [], claims: {} },
};
const stream = (at: number, operation: string, name: string, text: string) => ({ at, event: 'stream', operation, stream: name, text });

async function castOf(events: readonly unknown[], operation?: string, version?: 2 | 3): Promise<readonly unknown[] | undefined> {
  const stored = [header, ...events].map((line) => `${JSON.stringify(line)}\n`).join('');
  const lines: string[] = [];
  const chunks = (async function* () {
    yield Buffer.from(stored);
  })();
  const played = await asciicast(readTimeline(chunks), operation, (line) => lines.push(line), version);
  assert.ok(lines.every((line) => line.endsWith('\n') && line.indexOf('\n') === line.length - 1));
  return played ? lines.map((line) => JSON.parse(line) as unknown) : undefined;
}

describe('asciicast', () => {
  const events = [
    { at: 1000, event: 'decided', operation: 'o1', decision: 'allow', text: 'exec in prod/web-1: sh', text_exact: true },
    stream(2000, 'o1', 'resize', '120x40'),
    stream(2500, 'o1', 'output', '$ '),
    stream(3000, 'o2', 'output', 'of another'),
    stream(3000, 'o1', 'input', 'ls\r'),
    stream(3250, 'o1', 'resize', '100x30'),
    stream(3250, 'o1', 'error', 'no such file\r\n'),
    {
      at: 4000,
      event: 'completed',
      operation: 'o1',
      outcome: 'failed',
      error_code: 'exit 7',
      rows: 0,
      bytes: 1,
      duration_ms: 1,
      masked: {},
    },
  ];

  it('has the events of one operation, each with the time since the one before', async () => {
    assert.deepEqual(await castOf(events), [
      { version: 3, term: { cols: 120, rows: 40 }, timestamp: 1804240802, title: 's-1 o1', command: 'exec in prod/web-1: sh' },
      [0.5, 'o', '$ '],
      [0.5, 'i', 'ls\r'],
      [0.25, 'r', '100x30'],
      [0, 'o', 'no such file\r\n'],
      [0.75, 'x', '7'],
    ]);
    assert.deepEqual(await castOf(events, 'o2'), [
      { version: 3, term: { cols: 80, rows: 24 }, timestamp: 1804240803, title: 's-1 o2' },
      [0, 'o', 'of another'],
    ]);
    assert.equal(await castOf(events, 'o3'), undefined);
    assert.equal(await castOf([]), undefined);
  });

  it('ends with a number, as the format has it, or with a marker that tells any other end', async () => {
    const end = { at: 1, event: 'completed', operation: 'o1', rows: 0, bytes: 0, duration_ms: 1, masked: {} };
    for (const [outcome, code, told] of [
      ['succeeded', undefined, ['x', '0']],
      ['failed', 'exit 255', ['x', '255']],
      ['failed', 'signal TERM', ['x', '143']],
      ['failed', 'signal NOPE', ['m', 'signal NOPE']],
      ['failed', 'session-ended', ['m', 'session-ended']],
      ['unknown', 'upstream-unavailable', ['m', 'upstream-unavailable']],
      ['cancelled', undefined, ['m', 'cancelled']],
    ] as const) {
      const cast = await castOf([stream(0, 'o1', 'output', 'a'), { ...end, outcome, error_code: code }]);
      assert.deepEqual((cast!.at(-1) as readonly unknown[]).slice(1), told);
    }
  });

  it('gives a terminal nothing that reaches beyond its screen', async () => {
    const text =
      'a\u001b[1mb\u001b[m\u001b]52;c;eA==\u0007c\u001b]8;;http://x\u001b\\d\u001b[6n\u001b[c\u001b[21t\u001bce\u001bP+q\u001b\\\u0005f\u009d0;t\u009cg\u001b[2J';
    for (let cut = 0; cut <= text.length; cut += 1) {
      const cast = await castOf([stream(0, 'o1', 'output', text.slice(0, cut)), stream(1, 'o1', 'output', text.slice(cut))]);
      const shown = cast?.slice(1).map((event) => (event as [number, string, string])[2]);
      assert.equal(shown?.join(''), 'a\u001b[1mb\u001b[mcdefg\u001b[2J', `cut at ${cut}`);
    }
  });
});

describe('asciicast of what ran without a terminal', () => {
  const events = [stream(100, 'o1', 'output', 'one\ntwo\r\n'), stream(500, 'o1', 'error', 'three\n')];

  it('ends its lines as a screen wants it, which a terminal has done by itself', async () => {
    const shown = async (list: readonly unknown[]) => (await castOf(list))?.slice(1).map((event) => (event as [number, string, string])[2]);
    assert.deepEqual(await shown(events), ['one\r\ntwo\r\n', 'three\r\n']);
    assert.deepEqual(await shown([stream(0, 'o1', 'resize', '80x24'), ...events]), ['one\ntwo\r\n', 'three\n']);
  });

  it('of version 2 counts from the beginning, and has no end', async () => {
    const end = { at: 900, event: 'completed', operation: 'o1', outcome: 'succeeded', rows: 0, bytes: 1, duration_ms: 1, masked: {} };
    assert.deepEqual(
      await castOf([stream(100, 'o1', 'resize', '90x20'), ...events, stream(700, 'o1', 'resize', '91x21'), end], undefined, 2),
      [
        { version: 2, width: 90, height: 20, timestamp: 1804240800, title: 's-1 o1' },
        [0, 'o', 'one\ntwo\r\n'],
        [0.4, 'o', 'three\n'],
        [0.6, 'r', '91x21'],
      ],
    );
  });
});

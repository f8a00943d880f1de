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

async function castOf(events: readonly unknown[], operation?: string): Promise<readonly unknown[] | undefined> {
  const stored = [header, ...events].map((line) => `${JSON.stringify(line)}\n`).join('');
  const lines: string[] = [];
  const chunks = (async function* () {
    yield Buffer.from(stored);
  })();
  const played = await asciicast(readTimeline(chunks), operation, (line) => lines.push(line));
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

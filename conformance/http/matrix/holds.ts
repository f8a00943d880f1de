import { progress } from '../../../bench/parts/report.ts';
import { eventually } from '../../harness.ts';
import type { Part, PartRow } from '../../part.ts';
import { startMatrix } from './api.ts';
import { clients, type HttpClient } from './clients.ts';
import type { House } from '../house.ts';

/** What waits for people: the client is told nothing but its answer, in the end. */
export const holdPart: Part = {
  name: 'holds',
  about: 'a DELETE that waits for a reviewer, by each client: approved, and refused',
  async run({ only, onInterrupt }) {
    const matrix = await startMatrix();
    onInterrupt(() => matrix.close());
    try {
      const rows: PartRow[] = [];
      for (const client of clients) {
        for (const verdict of ['approve', 'deny'] as const) {
          const title = `${client.name}: ${verdict}`;
          if (only.length > 0 && !only.includes(title)) continue;
          progress(title);
          const problem = await held(matrix.house, client, verdict).catch((error: unknown) => String(error));
          rows.push({ name: title, control: 'ok', verdict: problem === undefined ? 'same' : 'differs', reason: problem });
        }
      }
      return { rows, notes: [] };
    } finally {
      await matrix.close();
    }
  },
};

/** Undefined where everything went as it should. */
async function held(house: House, client: HttpClient, verdict: 'approve' | 'deny'): Promise<string | undefined> {
  const reviewer = await house.api('dba-erin');
  const url = `${house.crm}/held/${client.name.replaceAll(/[^a-z0-9]+/gi, '-')}-${verdict}`;
  const asked = client.send({ method: 'DELETE', url, token: await house.token('pipeline'), ca: house.authorityFile });
  asked.catch(() => {});
  const id = await eventually('the request for approval', async () => {
    const { approvals } = await reviewer.get<{ approvals: { id: string; text: string }[] }>('/api/v1/approvals', { state: 'pending' });
    return approvals.find(({ text }) => text.includes(new URL(url).pathname.replace('/http/crm', '')))?.id;
  });
  await reviewer.post(`/api/v1/approvals/${id}/${verdict}`, { reason: 'conformance' });
  const { status, body } = await asked;
  if (verdict === 'approve') return status === 200 && body.startsWith('DELETE /v2/held/') ? undefined : `${status} ${body}`;
  return status === 403 && body.includes('approval-denied') ? undefined : `${status} ${body}`;
}

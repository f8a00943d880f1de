import { progress } from '../../../bench/parts/report.ts';
import type { Part, PartRow } from '../../part.ts';
import { startMatrix } from './api.ts';
import { clients, type Ask, type Said } from './clients.ts';

/** What is asked; paths are those below the API's own place. */
const asks: readonly { readonly name: string; readonly path: string; readonly method: Ask['method']; readonly body?: Ask['body'] }[] = [
  { name: 'JSON', method: 'GET', path: '/json?a=1&b=%C3%A9' },
  { name: 'a path with escapes', method: 'GET', path: '/r%C3%A9sum%C3%A9/a%20b' },
  { name: 'HEAD', method: 'HEAD', path: '/json' },
  { name: 'a form', method: 'POST', path: '/echo', body: { type: 'application/x-www-form-urlencoded', text: 'a=1&b=%26' } },
  { name: 'a JSON body', method: 'PUT', path: '/echo', body: { type: 'application/json', text: '{"name":"Élodie"}' } },
  { name: 'a body of 100 KB', method: 'POST', path: '/echo', body: { type: 'text/plain', text: 'x'.repeat(100_000) } },
  { name: 'an answer of 1.3 MB', method: 'GET', path: '/large' },
  { name: 'a redirect', method: 'GET', path: '/moved' },
  { name: 'no content', method: 'GET', path: '/nothing' },
  { name: 'the API’s own 404', method: 'GET', path: '/missing' },
];

export const clientPart: Part = {
  name: 'clients',
  about: 'curl over HTTP/1.1 and HTTP/2, fetch, requests, http.client and wget: each request directly and through the gateway',
  async run({ only, onInterrupt }) {
    const matrix = await startMatrix();
    onInterrupt(() => matrix.close());
    try {
      const token = await matrix.house.token('pipeline');
      const rows: PartRow[] = [];
      for (const client of clients) {
        for (const { name, path, method, body } of asks) {
          const title = `${client.name}: ${name}`;
          if (!client.methods.has(method) || (only.length > 0 && !only.includes(title))) continue;
          progress(title);
          const of = (base: string): Promise<Said | string> =>
            client
              .send({ method, url: base + path, token, ca: matrix.house.authorityFile, ...(body === undefined ? {} : { body }) })
              .catch((error: unknown) => String(error));
          const [control, through] = [await of(matrix.direct), await of(matrix.house.crm)];
          const isSame = JSON.stringify(control) === JSON.stringify(through);
          rows.push({
            name: title,
            control: typeof control === 'string' ? control : 'ok',
            verdict: isSame && typeof control !== 'string' ? 'same' : 'differs',
            reason: isSame ? undefined : told(through),
          });
        }
      }
      return { rows, notes: [] };
    } finally {
      await matrix.close();
    }
  },
};

function told(said: Said | string): string {
  return typeof said === 'string' ? said : `${said.status} ${said.body.slice(0, 200)}`;
}

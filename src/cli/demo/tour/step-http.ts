import { call, type HttpAnswer } from './curl.ts';
import type { Scene } from './scene.ts';
import { TourFailed } from './stage.ts';

/** The bank's API: masked by place and by what a text holds, refused by path. */
export async function overHttp(scene: Scene): Promise<void> {
  const { stage, truth } = scene;
  stage.step(
    'The same over HTTP: an API whose key the job never sees',
    'The job’s own token opens the gateway; the gateway puts the API’s key in its place. Policy sees method and path.',
  );
  const shown = await asked(scene, 'GET', '/customers/7');
  const [ssn, ...pans] = await truth.cells(
    'select ssn from customers where id = 7 union all (select pan from cards c join accounts a on a.id = c.account_id where a.customer_id = 7)',
  );
  if (ssn === undefined || pans.length === 0) throw new TourFailed('expected: a customer with a card');
  const isMasked = !shown.body.includes(ssn) && shown.body.includes(`***-**-${ssn.slice(-4)}`);
  stage.check(shown.status === 200 && isMasked, 'the SSN in the JSON shows its last four digits', () => shown.body);
  stage.check(
    pans.every((pan) => !shown.body.includes(pan)) && pans.some((pan) => shown.body.includes(`*${pan.slice(-4)}`)),
    'and so does the card number in a note, which nobody declared',
    () => shown.body,
  );
  stage.gap();
  const refused = await asked(scene, 'DELETE', '/customers/7');
  const [left] = await truth.cells('select count(*) from customers where id = 7');
  stage.check(
    refused.status === 403 && refused.body.includes('no one deletes customers by way of the CRM') && left === '1',
    'refused with 403 and the name of the policy; the customer is still there',
    () => refused.body,
  );
}

async function asked(scene: Scene, method: 'GET' | 'DELETE', path: string): Promise<HttpAnswer> {
  const { stage, world, passes } = scene;
  const url = `${world.crmUrl ?? ''}${path}`;
  const words = method === 'GET' ? '' : `-X ${method} `;
  stage.typed('pipeline$', `curl --cacert ca.crt -H "Authorization: Bearer $(cat pipeline.token)" ${words}${url}`);
  const answer = await call({
    method,
    url,
    token: await passes.token('pipeline'),
    authorityFile: world.authorityFile,
    signal: scene.signal,
  });
  for (const line of answer.body.split('\n')) stage.heard(line);
  return answer;
}

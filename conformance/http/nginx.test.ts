import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { eventually, start, type Running } from '../harness.ts';
import { startHouse, type House } from './house.ts';

/** A server of another kind: static files of nginx, with gzip, ranges, conditional requests and its own error pages. */
let folder: string;
let nginx: Running;
let house: House;
const customer = `{"id":7,"ssn":"078-05-1120","note":"${'x'.repeat(2_000)}"}`;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-nginx-'));
  const port = await freePort();
  mkdirSync(join(folder, 'files', 'customers'), { recursive: true });
  writeFileSync(join(folder, 'files', 'customers', '7'), customer);
  writeFileSync(join(folder, 'nginx.conf'), configuration(port));
  nginx = start('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], process.env);
  house = await startHouse({
    handle: (_, response) => response.end(),
    adjust: (config) => {
      const targets = config['targets'] as Record<string, unknown>;
      targets['web'] = { protocol: 'http', upstream: { url: `http://127.0.0.1:${port}`, tls: 'unsafe_disable' } };
      (config['data_classes'] as Record<string, unknown>)['ssn'] = {
        paths: ['web/customers/*#$.ssn'],
        detect: 'us-ssn',
        mask: 'partial-last4',
      };
    },
    policies: `@id("all") permit (principal, action, resource) unless { action == Action::"reveal" };
@id("fraud sees") permit (principal in Group::"fraud", action == Action::"reveal", resource);`,
  });
  await eventually('nginx', () => fetch(`http://127.0.0.1:${port}/`).catch(() => undefined));
});
after(async () => {
  nginx.process.kill('SIGQUIT');
  await nginx.done;
  await house.close();
  rmSync(folder, { recursive: true, force: true });
});

const get = async (as: string, path: string, headers: Record<string, string> = {}, method = 'GET') => {
  const response = await fetch(house.crm.replace(/crm$/, `web${path}`), {
    method,
    headers: { authorization: `Bearer ${await house.token(as)}`, ...headers },
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
};

it('is masked where something is hidden, whole whatever part was asked for, and not by its ETag', async () => {
  for (const headers of [{}, { range: 'bytes=0-20' }, { 'accept-encoding': 'gzip' }] as Record<string, string>[]) {
    const { status, text, headers: shown } = await get('pipeline', '/customers/7', headers);
    assert.equal(status, 200);
    assert.equal((JSON.parse(text) as { ssn: string }).ssn, '***-**-1120');
    for (const name of ['etag', 'content-encoding', 'accept-ranges']) assert.equal(shown.get(name), null, name);
  }
});

it('is what the server sends where nothing is hidden: parts, codings, conditions', async () => {
  const part = await get('fraud-omar', '/customers/7', { range: 'bytes=8-26' });
  assert.deepEqual([part.status, part.text], [206, customer.slice(8, 27)]);
  const coded = await get('fraud-omar', '/customers/7', { 'accept-encoding': 'gzip' });
  assert.deepEqual([coded.headers.get('content-encoding'), coded.text], ['gzip', customer]);
  const whole = await get('fraud-omar', '/customers/7', { 'accept-encoding': 'identity' });
  const unchanged = await get('fraud-omar', '/customers/7', { 'if-none-match': whole.headers.get('etag') ?? '' });
  assert.deepEqual([unchanged.status, unchanged.text], [304, '']);
});

it('has no length in the answer to HEAD where something is hidden', async () => {
  const lengthFor = async (as: string) =>
    (await get(as, '/customers/7', { 'accept-encoding': 'identity' }, 'HEAD')).headers.get('content-length');
  assert.equal(await lengthFor('pipeline'), null);
  assert.equal(await lengthFor('fraud-omar'), String(customer.length));
});

it('has its own error pages', async () => {
  const { status, text } = await get('pipeline', '/nothing');
  assert.equal(status, 404);
  assert.match(text, /<center>nginx/);
});

it('answers many requests at once over kept connections', async () => {
  const token = await house.token('pipeline');
  const url = house.crm.replace(/crm$/, 'web/customers/7');
  for (let round = 0; round < 5; round += 1) {
    const answers = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
        return response.text();
      }),
    );
    for (const text of answers) assert.equal((JSON.parse(text) as { ssn: string }).ssn, '***-**-1120');
  }
});

function configuration(port: number): string {
  return `daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log; worker_processes 1;
user root;
events {}
http {
  access_log off; default_type application/json;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  gzip on; gzip_types application/json; gzip_min_length 1;
  server { listen 127.0.0.1:${port}; root ${folder}/files; }
}
`;
}

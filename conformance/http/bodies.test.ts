import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { run } from '../harness.ts';
import { startHouse, type House } from './house.ts';

/** What policy sees of bodies, and where answers lead, with real clients. */
let house: House;
before(async () => {
  house = await startHouse({
    handle(request, response) {
      if (request.url === '/v2/moved') response.writeHead(302, { location: `https://${request.headers.host}/v2/landed` }).end();
      else response.writeHead(200, { 'content-type': 'text/plain' }).end(`at ${request.url}`);
    },
    policies: `@id("connect and read") permit (principal in Group::"deployers", action in [Action::"connect", Action::"read"], resource);
@id("euros") permit (principal in Group::"deployers", action == Action::"http:post", resource) when { context has body && context.body.contains("currency=EUR") };
@id("lines in euros") permit (principal in Group::"deployers", action == Action::"http:post", resource)
when { context has body && context.body.contains("line=EUR") && ["line=EUR"].containsAll(context.body) };`,
    adjust(config) {
      (config['targets']!['crm'] as Record<string, unknown>)['body_facts'] = {
        currency: '$.currency',
        pan: '$.pan',
        line: '$.lines[*].currency',
      };
    },
  });
});
after(() => house.close());

const post = async (...parameters: readonly string[]): Promise<string> =>
  (await house.curl('pipeline', ...parameters, `${house.crm}/transfers`)).stdout;

it('a value decides: in JSON, in a form, in a multipart form', async () => {
  const json = (text: string) => post('-H', 'Content-Type: application/json', '-d', text);
  assert.equal(await json('{"currency":"EUR"}'), 'at /v2/transfers');
  assert.match(await json('{"currency":"USD"}'), /policy-denied/);
  assert.match(await json('{"currency":"USD","currency":"EUR"}'), /a name stands twice/);
  assert.equal(await post('-d', 'currency=EUR'), 'at /v2/transfers');
  assert.equal(await post('-F', 'currency=EUR', '-F', `file=@${house.configFile}`), 'at /v2/transfers');
  assert.match(await post('-F', 'currency=USD'), /policy-denied/);
  assert.match(await post('-H', 'Content-Type: text/plain', '-d', 'currency=EUR'), /they cannot be told: it is text\/plain/);
});

it('a second value that a server may take instead is refused, in whatever form it comes', async () => {
  assert.match(await post('-d', 'currency=EUR&currency=USD'), /currency is given twice/);
  assert.match(await post('-d', 'currency=EUR&currency[]=USD'), /almost the name currency/);
  assert.match(await post('-F', 'currency=EUR', '-F', 'currency=USD'), /currency is given twice/);
  assert.match(await post('-H', 'Content-Type: application/json', '-d', '{"currency":["EUR","USD"]}'), /currency has several values/);
  const inQuery = await house.curl('pipeline', '-d', 'currency=EUR', `${house.crm}/transfers?currency=USD`);
  assert.match(inQuery.stdout, /the query has currency as well/);
});

it('all of several values are what the guide’s rule asks for', async () => {
  const lines = (...currencies: readonly string[]) =>
    post('-H', 'Content-Type: application/json', '-d', JSON.stringify({ lines: currencies.map((currency) => ({ currency })) }));
  assert.equal(await lines('EUR', 'EUR'), 'at /v2/transfers');
  assert.match(await lines('EUR', 'USD'), /policy-denied/);
  assert.match(await lines(), /policy-denied/);
});

it('a sensitive value among them is decided on as it is, and masked on record', async () => {
  assert.equal(await post('-d', 'currency=EUR&pan=4111111111111111'), 'at /v2/transfers');
  const records = JSON.stringify(await house.records());
  assert.ok(records.includes('currency=EUR'));
  assert.doesNotMatch(records, /4111111111111111/);
});

it('a redirect to the target itself is followed by way of the gateway', async () => {
  const answer = await house.curl('pipeline', '-L', `${house.crm}/moved`);
  assert.equal(answer.stdout, 'at /v2/landed');
  const wget = await run(
    'wget',
    [
      '-q',
      '-O',
      '-',
      '--ca-certificate',
      house.authorityFile,
      '--header',
      `Authorization: Bearer ${await house.token('pipeline')}`,
      `${house.crm}/moved`,
    ],
    process.env,
  );
  assert.equal(wget.stdout, 'at /v2/landed');
});

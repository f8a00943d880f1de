import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { connect } from 'node:tls';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import { eventually } from '../harness.ts';
import { readText, startHouse, type House } from './house.ts';

/** What changes under requests that run: policy, the gateway's credential, its certificate, what is hidden. */
let house: House;
let finish: (() => void) | undefined;
before(async () => {
  house = await startHouse({
    handle(request, response) {
      response.setHeader('content-type', 'text/plain');
      if (request.url === '/v2/begins') {
        response.write('begun');
        finish = () => response.end(' ended');
      } else response.end('account 12-345-678');
    },
  });
});
after(() => house.close());

const authorizationSeen = (): string | undefined => {
  const { rawHeaders = [] } = house.seen.at(-1) ?? {};
  return rawHeaders[rawHeaders.findIndex((name) => name === 'authorization') + 1];
};

// Of somebody from whom nothing is hidden: a text that is masked would be kept until its end.
it('policy: from the next request on, what runs goes on', async () => {
  const token = await house.token('fraud-omar');
  const get = (path: string) => fetch(`${house.crm}${path}`, { headers: { authorization: `Bearer ${token}` } });
  const running = await get('/begins');
  const file = join(house.folder, 'policies', 'all.cedar');
  const before_ = readText(file);
  writeFileSync(file, `${before_}\n@id("closed") forbid (principal, action == Action::"http:get", resource);`);
  await eventually('the next to be refused', async () => ((await get('/x')).status === 403 ? true : undefined));
  finish?.();
  assert.equal(await running.text(), 'begun ended');
  writeFileSync(file, before_);
  await eventually('the next to pass', async () => ((await get('/x')).status === 200 ? true : undefined));
});

it('the credential at the target: rotated in its file', async () => {
  writeFileSync(join(house.folder, 'crm.token'), 'rotated-bdfghjk');
  await eventually('the new one', async () => {
    await (await house.fetch('pipeline', '/x')).text();
    return authorizationSeen() === 'Bearer rotated-bdfghjk' || undefined;
  });
});

it('data classes: hidden from the next request on', async () => {
  const config = readText(house.configFile);
  writeFileSync(
    house.configFile,
    config.replace(
      'data_classes:\n',
      "data_classes:\n  account-number:\n    detect: { pattern: '\\d{2}-\\d{3}-\\d{3}' }\n    mask: redact\n",
    ),
  );
  await eventually('the mask', async () =>
    (await (await house.fetch('pipeline', '/x')).text()) === 'account [redacted:account-number]' ? true : undefined,
  );
  writeFileSync(house.configFile, `${config}\nnonsense: true\n`);
  const until = Date.now() + 2_500;
  while (Date.now() < until) assert.match(await (await house.fetch('pipeline', '/x')).text(), /redacted/, 'a bad file changes nothing');
});

it('the certificate: for connections from then on', async () => {
  const authority = await createDemoAuthority();
  const { certificate, key } = await authority.issue(['localhost']);
  writeFileSync(join(house.folder, 'sallyport.yaml'), readText(house.configFile).replace('\nnonsense: true\n', ''));
  writeFileSync(join(house.folder, 'gateway.key'), key);
  writeFileSync(join(house.folder, 'gateway.crt'), certificate);
  await eventually('the new one', async () => {
    const socket = connect({ host: 'localhost', port: house.httpsPort, ca: authority.certificate });
    return new Promise<true | undefined>((resolve) => {
      socket.once('secureConnect', () => resolve(true)).once('error', () => resolve(undefined));
    }).finally(() => socket.destroy());
  });
});

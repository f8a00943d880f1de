import assert from 'node:assert/strict';
import { it } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import { packConfig, unpackConfig } from './packed.ts';
import { Secret } from './secret.ts';
import type { PostgresTargetConfig } from './postgres-target.ts';
import type { Config } from './types.ts';

it('a configuration that was cloned for another process is the same, its secrets too', () => {
  const password = new Secret('env:PASSWORD', Buffer.from('s3cret\n'));
  const config = {
    file: '/etc/sallyport.yaml',
    targets: [{ name: 'orders', listen: undefined, upstream: { password, tls: 'verify-full' } }],
    unsafe: ['a'],
    resolved: { deep: [{ port: 5432 }] },
  } as unknown as Config;
  const cloned = unpackConfig(deserialize(serialize(packConfig(config))) as ReturnType<typeof packConfig>);
  assert.deepEqual(cloned, config);
  assert.equal(JSON.stringify(cloned), JSON.stringify(config));
  assert.equal((cloned.targets[0] as PostgresTargetConfig).upstream.password?.text(), 's3cret');
});

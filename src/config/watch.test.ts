import assert from 'node:assert/strict';
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, it } from 'node:test';
import { loadConfig } from './load.ts';
import { ConfigError } from './problem.ts';
import { goodEnvironment, Workspace } from './testing/workspace.ts';
import type { Config } from './types.ts';
import { ConfigWatcher, RestartNeeded } from './watch.ts';

const workspace = new Workspace();
after(() => workspace.remove());
beforeEach(() => {
  workspace.edit();
  workspace.write('policies/base.cedar', 'permit (principal, action, resource);\n');
});

interface Watched {
  readonly watcher: ConfigWatcher;
  readonly applied: Config[];
  readonly refused: unknown[];
}

async function watch(apply?: (next: Config) => void | Promise<void>): Promise<Watched> {
  const load = { env: goodEnvironment };
  const applied: Config[] = [];
  const refused: unknown[] = [];
  const watcher = new ConfigWatcher(await loadConfig(workspace.file, load), {
    load,
    apply: async (next) => {
      await apply?.(next);
      applied.push(next);
    },
    refused: (error) => refused.push(error),
  });
  await watcher.look();
  return { watcher, applied, refused };
}

it('a change is taken up once two looks in a row find the same', async () => {
  const { watcher, applied } = await watch();
  await watcher.look();
  workspace.edit(['retain: 7y', 'retain: 8y']);
  await watcher.look();
  assert.equal(applied.length, 0);
  workspace.edit(['retain: 7y', 'retain: 10y']);
  await watcher.look();
  assert.equal(applied.length, 0);
  await watcher.look();
  assert.equal(applied.length, 1);
  assert.equal(watcher.current, applied[0]);
  assert.equal(watcher.current.audit.retainMs, 10 * 366 * 86_400_000);
  await watcher.look();
  await watcher.look();
  assert.equal(applied.length, 1);
});

it('a change between the start and the first look is taken up', async () => {
  const load = { env: goodEnvironment };
  const applied: Config[] = [];
  const current = await loadConfig(workspace.file, load);
  const watcher = new ConfigWatcher(current, {
    load,
    apply: (next) => void applied.push(next),
    refused: (error) => assert.fail(String(error)),
  });
  await new Promise((resolve) => {
    setTimeout(resolve, 20);
  });
  workspace.edit(['retain: 7y', 'retain: 8y']);
  await watcher.look();
  await watcher.look();
  assert.equal(applied.length, 1);
});

it('a bad file changes nothing, says why once, and is taken up when it is put right', async () => {
  const { watcher, applied, refused } = await watch();
  const before = watcher.current;
  workspace.edit(['retain: 7y', 'retain: seven'], ['kind: agent', 'kind: user']);
  for (let look = 0; look < 4; look += 1) await watcher.look();
  assert.equal(watcher.current, before);
  assert.equal(applied.length, 0);
  assert.equal(refused.length, 1);
  assert.ok(refused[0] instanceof ConfigError);
  assert.match(refused[0].message, /34:18: audit.retain: expected a duration/);

  workspace.edit(['kind: agent', 'kind: user']);
  for (let look = 0; look < 3; look += 1) await watcher.look();
  assert.equal(applied.length, 1);
  assert.equal(watcher.current.issuers[0]?.kind, 'user');
});

it('a file that was missing is noticed when it comes', async () => {
  const { watcher, applied, refused } = await watch();
  workspace.edit(['file:tls/gw.crt', 'file:tls/next.crt']);
  for (let look = 0; look < 3; look += 1) await watcher.look();
  assert.equal(refused.length, 1);
  const path = workspace.write('tls/next.crt', 'next\n');
  for (let look = 0; look < 3; look += 1) await watcher.look();
  assert.equal(applied.length, 1);
  assert.equal(watcher.current.gateway.tls?.certificate.text(), 'next');
  rmSync(path);
});

it('policies that are added, changed or replaced, and certificates that are renewed, are changes', async () => {
  const { watcher, applied } = await watch();
  const settle = async () => {
    for (let look = 0; look < 3; look += 1) await watcher.look();
  };
  workspace.write('policies/more.cedar', 'forbid (principal, action, resource);\n');
  await settle();
  assert.deepEqual(
    watcher.current.policies.files.map(({ name }) => name),
    ['base.cedar', 'more.cedar'],
  );
  workspace.write('policies/more.cedar', 'permit (principal, action, resource); // changed\n');
  await settle();
  const next = workspace.write('policies/next', 'forbid (principal, action, resource); // replaced\n');
  renameSync(next, join(workspace.folder, 'policies/more.cedar'));
  await settle();
  assert.match(watcher.current.policies.files[1]!.text, /replaced/);
  workspace.write('tls/gw.crt', 'renewed certificate\n');
  await settle();
  assert.equal(applied.length, 4);
  rmSync(join(workspace.folder, 'policies/more.cedar'));
});

it('where the next configuration cannot be put in force, the previous one stays', async () => {
  const { watcher, refused } = await watch(() => {
    throw new Error('policies do not validate');
  });
  const before = watcher.current;
  workspace.edit(['retain: 7y', 'retain: 8y']);
  await watcher.reload();
  assert.equal(watcher.current, before);
  assert.match(String(refused[0]), /policies do not validate/);
});

it('what needs a restart is refused as a whole, by name', async () => {
  const { watcher, applied, refused } = await watch();
  for (const [from, to, named] of [
    ['name: gw-eastus-1', 'name: gw-eastus-2', /gateway.name/],
    ['data: data', 'data: elsewhere', /gateway.data/],
    ['data: data', 'data: data\n  unsafe_plaintext: true', /gateway.unsafe_plaintext/],
    ['data: data', 'data: data\n  workers: 2', /gateway.workers/],
    ['postgres: 5432', 'postgres: 5433', /listeners/],
    ['listen: 6432', 'listen: 6433', /listen/],
    ['retain: 7y', 'durability: process', /audit.durability/],
  ] as const) {
    workspace.edit([from, to], ['kind: agent', 'kind: user']);
    await watcher.reload();
    const error = refused.at(-1);
    assert.ok(error instanceof RestartNeeded, String(error));
    assert.match(error.message, named);
  }
  assert.equal(applied.length, 0);
  assert.equal(watcher.current.issuers[0]?.kind, 'agent');
});

it('reloads never overlap, and one that is asked for meanwhile follows', async () => {
  let running = 0;
  let most = 0;
  const { watcher, applied } = await watch(async () => {
    running += 1;
    most = Math.max(most, running);
    running -= 1;
  });
  await Promise.all([watcher.reload(), watcher.reload(), watcher.reload()]);
  assert.equal(most, 1);
  assert.equal(applied.length, 2);
});

it('SIGHUP reloads, until the watcher is stopped', async () => {
  const arrived = Promise.withResolvers<void>();
  const { watcher, applied } = await watch(() => arrived.resolve());
  const listeners = process.listenerCount('SIGHUP');
  watcher.start();
  process.emit('SIGHUP', 'SIGHUP');
  await arrived.promise;
  await watcher.reload();
  assert.ok(applied.length >= 1);
  watcher.stop();
  assert.equal(process.listenerCount('SIGHUP'), listeners);
});

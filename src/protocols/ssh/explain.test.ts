import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nodeCrypto } from '../../net/crypto.ts';
import { explainSsh } from './explain.ts';
import { testContext } from './testing.ts';

const context = testContext(nodeCrypto, { exact: ['systemctl restart app'] });
const explained = (line: string | undefined): string => {
  const { acts, refusal } = explainSsh({ line, target: context.session.target, ownUser: 'deploy', context, forwards: [] });
  return refusal?.code ?? acts.map(({ action, object }) => `${action} ${object.id}`).join(', ');
};

it('tells what a line would ask', () => {
  const cases: readonly (readonly [string | undefined, string])[] = [
    [undefined, 'connect web-1'],
    ['exec systemctl  restart "app"', 'ssh:exec web-1/systemctl restart app'],
    ['exec df -h | sort', 'ssh:exec web-1/df -h | sort'],
    ['-t shell', 'ssh:shell web-1, ssh:terminal web-1'],
    ['-l root -t exec top', 'ssh:exec web-1/top, ssh:terminal web-1, ssh:log-in-as web-1/root'],
    ['-l deploy shell', 'ssh:shell web-1'],
    ['exec -l root', 'ssh:exec web-1/-l root'],
    ['sftp', 'ssh:sftp web-1'],
    ['subsystem netconf', 'ssh:subsystem web-1'],
    ['forward DB.internal:5432', 'ssh:forward-local web-1/db.internal:5432'],
    ['forward [::1]:22', 'unsupported'],
    ['listen *:8080', 'ssh:forward-remote web-1/listen:*:8080'],
    ['listen 127.0.0.1:8080', 'ssh:forward-remote web-1/listen:localhost:8080'],
    ['listen /run/app.sock', 'ssh:forward-remote web-1/listen:/run/app.sock'],
    ['accept localhost:0', 'ssh:accept-connection web-1/listen:localhost:0'],
    ['accept /run/app.sock', 'ssh:accept-connection web-1/listen:/run/app.sock'],
    ['forward /run/app.sock', 'ssh:forward-local web-1//run/app.sock'],
    ['forward run/app.sock', 'unclassified'],
    ['exec echo "', 'unclassified'],
    ['systemctl restart app', 'unclassified'],
    ['shell now', 'unclassified'],
    ['', 'unclassified'],
  ];
  for (const [line, wanted] of cases) assert.equal(explained(line), wanted, line);
  const { facts } = explainSsh({
    line: '-l root exec systemctl restart app',
    target: context.session.target,
    ownUser: 'deploy',
    context,
    forwards: [],
  });
  assert.deepEqual([facts['exact_command'], facts['terminal'], facts['remote_user']], [true, false, 'root']);
});

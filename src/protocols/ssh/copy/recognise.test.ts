import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeCrypto } from '../../../net/crypto.ts';
import { testContext } from '../testing.ts';
import { recogniseCopy } from './recognise.ts';

const context = testContext(nodeCrypto, { home: '/home/deploy' });
const acts = (command: string): string | undefined =>
  recogniseCopy(command.split(' '))
    ?.acts(context)
    .map(({ action, object }) => `${action} ${object.id}`)
    .join(', ');

describe('commands that move files', () => {
  it('are known by their words, with the paths that they are about', () => {
    const expected: Readonly<Record<string, string>> = {
      'scp -t /srv/in': 'ssh:write-file web-1/srv/in',
      'scp -r -p -d -t in/../x': 'ssh:write-file web-1/home/deploy/x, ssh:set-file-attributes web-1/home/deploy/x',
      'scp -rpf a /b/./c': 'ssh:read-file web-1/home/deploy/a, ssh:read-file web-1/b/c',
      'scp -v -f -- -odd': 'ssh:read-file web-1/home/deploy/-odd',
      '/usr/bin/scp -f ../../etc/passwd': 'ssh:read-file web-1/etc/passwd',
      'rsync --server --sender -logDtpre.iLsfxCIvu . /srv/a b': 'ssh:read-file web-1/srv/a, ssh:read-file web-1/home/deploy/b',
      'rsync --server -vlogDtpre.iLsfxCIvu --numeric-ids . in/':
        'ssh:write-file web-1/home/deploy/in, ssh:set-file-attributes web-1/home/deploy/in',
      'rsync --server -re.LsfxCIvu --delete-during . /in':
        'ssh:write-file web-1/in, ssh:set-file-attributes web-1/in, ssh:remove-file web-1/in, ssh:remove-folder web-1/in',
      'rsync --server --sender -re. --remove-source-files . /out':
        'ssh:read-file web-1/out, ssh:remove-file web-1/out, ssh:remove-folder web-1/out',
      'git-upload-pack /srv/a.git': 'ssh:read-file web-1/srv/a.git',
      'git upload-pack /srv/a': 'ssh:read-file web-1/srv/a, ssh:read-file web-1/srv/a.git',
      'git-receive-pack ~/a.git': 'ssh:write-file web-1/home/deploy/a.git',
      'git-upload-archive a.git': 'ssh:read-file web-1/home/deploy/a.git',
      '/usr/lib/openssh/sftp-server': 'ssh:sftp web-1',
    };
    for (const [command, act] of Object.entries(expected)) assert.equal(acts(command), act, command);
  });

  it('are commands like any other where they run programs, name other files, or say what nobody knows', () => {
    for (const command of [
      'scp',
      'scp a b',
      'scp -t',
      'scp -t a b',
      'scp -f',
      'scp -t -f a',
      'scp -S /tmp/x -t a',
      'scp -o ProxyCommand=x -f a',
      'scp -t -x a',
      './scp -f a',
      '/tmp/scp -f a',
      'scp -f a ',
      'rsync -a a b',
      'rsync --server --sender -re.LsfxCIvu /a',
      'rsync --server --sender -re.LsfxCIvu .',
      'rsync --server --daemon .',
      'rsync --server --daemon . x',
      'rsync --server --sender -rse.LsfxCIvu . /a',
      'rsync --server --sender -s . /a',
      'rsync --server -re /tmp/x . /a',
      'rsync --server -e.LsfxCIvu --rsh=/tmp/x . /a',
      'rsync --server --sender -re. --files-from=/etc/shadow . /a',
      'rsync --server -re. --log-file=/etc/cron.d/x . /a',
      'rsync --server -re. --backup-dir=/etc . /a',
      'rsync --server -re. --temp-dir=/etc . /a',
      'rsync --server -re. --link-dest=/etc . /a',
      'rsync --server -re. --log-format=%i/x . /a',
      'rsync --server --sender -re. . --config=x',
      'git-upload-pack --strict /a',
      'git-upload-pack /a /b',
      'git-upload-pack ~root/a',
      'git-upload-pack --upload-pack=x',
      'git -c core.x=y upload-pack /a',
      'git clone /a',
      'git-shell -c x',
      '/usr/lib/openssh/sftp-server -e',
      '/tmp/sftp-server',
    ])
      assert.equal(acts(command), undefined, command);
  });

  it('are refused where masking cannot look into them, and where nothing may be written', () => {
    const hidden = { ...context, settings: { ...context.settings, opaqueTransfers: true } };
    const revealed = { ...context, detectors: context.detectors.without(new Set(['card'])) };
    for (const command of ['rsync --server --sender -re. . a', 'git-upload-pack a', 'git-receive-pack a', 'rsync --server -re. . a']) {
      const copy = recogniseCopy(command.split(' '));
      assert.equal(copy?.refusal(context)?.code, 'masking-refused', command);
      assert.equal(copy?.refusal(hidden), undefined);
      assert.equal(copy?.refusal(revealed), undefined);
    }
    const { session } = context;
    const readOnly = { ...revealed, session: { ...session, target: { ...session.target, readOnly: true }, nextOperationId: () => 's-1' } };
    for (const [command, code] of [
      ['scp -t a', 'read-only'],
      ['scp -f a', undefined],
      ['git-receive-pack a', 'read-only'],
      ['git-upload-pack a', undefined],
      ['rsync --server -re. . a', 'read-only'],
      ['rsync --server --sender -re. --remove-source-files . a', 'read-only'],
      ['/usr/lib/openssh/sftp-server', undefined],
    ] as const)
      assert.equal(recogniseCopy(command.split(' '))?.refusal(readOnly)?.code, code, command);
  });

  it('name relative paths by ~ where nobody said where they begin', () => {
    const nowhere = testContext(nodeCrypto);
    assert.equal(recogniseCopy(['scp', '-f', '../x'])?.acts(nowhere)[0]?.object.id, 'web-1/x');
    assert.equal(recogniseCopy(['scp', '-f', 'x'])?.acts(nowhere)[0]?.object.id, 'web-1/~/x');
  });
});

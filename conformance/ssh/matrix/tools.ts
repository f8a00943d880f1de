import type { SshCase, SshWorkplace } from './case.ts';

async function ansible(at: SshWorkplace, module: string, argument: string): Promise<string> {
  const { host, port, user, identity, knownHosts } = at.door;
  at.file(
    'inventory',
    `box ansible_host=${host} ansible_port=${port} ansible_user=${user} ansible_ssh_private_key_file=${identity} ansible_python_interpreter=/usr/bin/python3\n`,
  );
  const env = {
    HOME: at.folder,
    ANSIBLE_CONFIG: at.file('ansible.cfg', '[defaults]\n'),
    ANSIBLE_NOCOLOR: '1',
    ANSIBLE_SSH_ARGS: `-o UserKnownHostsFile=${knownHosts} -o ControlMaster=auto -o ControlPersist=10s -o IdentitiesOnly=yes`,
    ANSIBLE_SSH_CONTROL_PATH_DIR: at.folder,
    ANSIBLE_REMOTE_TMP: `${at.folder}/remote`,
    ANSIBLE_LOCAL_TEMP: `${at.folder}/local`,
    ANSIBLE_HOST_KEY_CHECKING: 'True',
  };
  const ran = await at.program('ansible', ['box', '-i', 'inventory', '-m', module, '-a', argument], { env, timeoutMs: 120_000 });
  return ran
    .replaceAll(/ansible-tmp-[\d.-]+/g, 'TMP')
    .replaceAll(/(source-|\.source\.)[\d.-]+/g, 'SOURCE')
    .replaceAll(/\\"(?:checksum|md5sum|delta|start|end|src)\\": \\"[^"]*\\"/g, '');
}

/** Programs that run SSH by themselves. Those that copy files are in files*.ts. */
export const toolCases: readonly SshCase[] = [
  { name: 'Ansible: ping', packages: ['ansible-core', 'python3'], run: (at) => ansible(at, 'ping', '') },
  { name: 'Ansible: shell', packages: ['ansible-core'], run: (at) => ansible(at, 'shell', 'echo "$((40+2))"; pwd | wc -l') },
  {
    name: 'Ansible: copy',
    packages: ['ansible-core'],
    async run(at) {
      const from = at.file('from', 'content\n');
      const told = await ansible(at, 'copy', `src=${from} dest=${at.folder}/to mode=0640`);
      return {
        told: /CHANGED/.test(told) ? 'changed' : told,
        file: (await at.raw('sh', ['-c', `cat ${at.folder}/to; stat -c %a ${at.folder}/to`])).stdout.toString(),
      };
    },
  },
];

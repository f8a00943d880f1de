import type { SshCase, SshWorkplace } from './case.ts';

const promptOptions = ['-o', 'BatchMode=no', '-o', 'PubkeyAuthentication=no', '-o', 'NumberOfPasswordPrompts=1'];
const echo = 'echo signed in; exit 3';

/** At the machine itself the key signs in: what then runs has to be the same. */
async function byKey({ ssh }: SshWorkplace): Promise<string> {
  return await ssh([echo]);
}

async function byAskpass(at: SshWorkplace, secret: string, options: readonly string[]): Promise<string> {
  // Cut as a person or a program would type it, where there are several prompts.
  const script = at.file('askpass', `#!/bin/sh\nexec /usr/bin/python3 ${at.folder}/answer.py\n`, 0o755);
  at.file('secret', secret, 0o600);
  at.file('answer.py', answerScript);
  return await at.ssh([echo], {
    options: [...promptOptions, ...options],
    env: { SSH_ASKPASS: script, SSH_ASKPASS_REQUIRE: 'force', ANSWERS: at.folder },
  });
}

/** Ways of proving who one is. */
export const signInCases: readonly SshCase[] = [
  { name: 'sign-in: a key (ssh -i)', quick: true, fails: true, run: byKey },
  {
    name: 'sign-in: a gateway token as password, by SSH_ASKPASS',
    quick: true,
    fails: true,
    async run(at) {
      const token = await at.secrets.gatewayToken();
      return token === undefined ? await byKey(at) : await byAskpass(at, token, ['-o', 'PreferredAuthentications=password']);
    },
  },
  {
    name: 'sign-in: a gateway token as password, by sshpass',
    packages: ['sshpass'],
    fails: true,
    async run(at) {
      const token = await at.secrets.gatewayToken();
      if (token === undefined) return await byKey(at);
      return await at.program(
        'sshpass',
        ['-e', 'ssh', '-F', at.door.config, ...promptOptions, '-o', 'PreferredAuthentications=password', 'box', echo],
        { env: { SSHPASS: token } },
      );
    },
  },
  {
    name: 'sign-in: a gateway token, keyboard-interactive',
    fails: true,
    async run(at) {
      const token = await at.secrets.gatewayToken();
      return token === undefined ? await byKey(at) : await byAskpass(at, token, ['-o', 'PreferredAuthentications=keyboard-interactive']);
    },
  },
  {
    name: 'sign-in: a raw OIDC token over several prompts',
    quick: true,
    fails: true,
    async run(at) {
      const token = await at.secrets.oidcToken();
      return token === undefined ? await byKey(at) : await byAskpass(at, token, ['-o', 'PreferredAuthentications=keyboard-interactive']);
    },
  },
  {
    name: 'sign-in: many keys in an agent, one of which opens',
    fails: true,
    async run({ door, file, program }) {
      const script = file(
        'agent.sh',
        `for i in 1 2 3; do ssh-keygen -q -t ed25519 -N '' -f k$i; ssh-add -q k$i; done; ssh-add -q ${door.identity}\n` +
          `exec ssh -F ${door.config} -o IdentityAgent=SSH_AUTH_SOCK -o IdentitiesOnly=no -o IdentityFile=none box '${echo}'\n`,
      );
      return await program('ssh-agent', ['bash', script]);
    },
  },
  {
    name: 'sign-in: a key that nobody knows',
    fails: true,
    async run({ door, program }) {
      await program('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', 'unknown']);
      const ran = await program('ssh', [
        '-F',
        'none',
        '-i',
        'unknown',
        '-o',
        'IdentitiesOnly=yes',
        '-o',
        'IdentityAgent=none',
        '-o',
        'BatchMode=yes',
        '-o',
        `UserKnownHostsFile=${door.knownHosts}`,
        '-p',
        String(door.port),
        `${door.user}@${door.host}`,
        'echo in',
      ]);
      return /Permission denied/.test(ran) ? 'permission denied' : ran;
    },
  },
  {
    name: 'sign-in: the host key is another one than the client knows',
    fails: true,
    async run({ door, file, program }) {
      const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEo3nOZJTgKvuwhGpA5pl3Jo4nLrsp9eVsAiChBPIjH/';
      const known = file('known_hosts', `[${door.host}]:${door.port} ${key}\n`);
      const ran = await program('ssh', ['-F', door.config, '-o', `UserKnownHostsFile=${known}`, 'box', 'echo in']);
      return /Host key verification failed/.test(ran) ? 'refused by the client' : ran;
    },
  },
];

/** Answers one prompt after another with up to 1,000 characters of the secret, and the last ones with nothing. */
const answerScript = `import os
folder = os.environ["ANSWERS"]
asked = os.path.join(folder, "asked")
count = int(open(asked).read()) if os.path.exists(asked) else 0
with open(asked, "w") as file:
    file.write(str(count + 1))
with open(os.path.join(folder, "secret")) as file:
    secret = file.read()
print(secret[count * 1000 : (count + 1) * 1000])
`;

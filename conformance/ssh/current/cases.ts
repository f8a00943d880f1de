import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ran, RunOptions } from '../program.ts';
import { shown } from '../program.ts';
import { plinkWords } from '../matrix/clients.ts';
import type { SshCase, SshWorkplace } from '../matrix/case.ts';

const content = randomBytes(20_000_000);

/** Keys that are exchanged in a way that resists quantum computers, by clients of today with a server of today. */
export const currentCases: readonly SshCase[] = [
  {
    name: 'exec: its exchange of keys, and whether ssh warns of it',
    fails: true,
    async run(at) {
      const ran = await verbose(at, ['cat; echo err >&2; exit 7'], { input: 'what came' });
      return { exchange: exchanges(ran).join(), warnings: warnings(ran), ran: `exit ${ran.code}, ${ran.stdout.toString()}` };
    },
  },
  ...(['curve25519-sha256', 'ecdh-sha2-nistp256', 'mlkem768x25519-sha256'] as const).map((name): SshCase => ({
    name: `exec: a client that knows ${name} alone`,
    run: async (at) => exchanges(await verbose(at, ['true'], { options: ['-o', `KexAlgorithms=${name}`] })).join(),
  })),
  ...(['in', 'out'] as const).map((way): SshCase => ({
    name: `20 MB ${way}, keys anew each megabyte`,
    async run(at) {
      const file = at.file('content', content);
      const command = way === 'in' ? 'sha256sum' : `cat ${file}`;
      const ran = await verbose(at, [command], { input: way === 'in' ? content : '', options: ['-o', 'RekeyLimit=1M'] });
      return { exchanges: manyOf(ran), warnings: warnings(ran), ran: shown({ ...ran, stderr: Buffer.alloc(0) }) };
    },
  })),
  {
    name: 'scp: 20 MB there and back, keys anew each megabyte',
    run: (at) => copies(at, 'scp', (from, to) => ['-F', at.door.config, '-v', '-o', 'RekeyLimit=1M', from, to]),
  },
  {
    name: 'scp -O: 20 MB there and back, keys anew each megabyte',
    run: (at) => copies(at, 'scp', (from, to) => ['-O', '-F', at.door.config, '-v', '-o', 'RekeyLimit=1M', from, to]),
  },
  {
    name: 'sftp: 20 MB there and back, keys anew each megabyte',
    async run(at) {
      const [from, there, back] = [at.file('from', content), join(at.folder, 'there'), join(at.folder, 'back')];
      const batch = at.file('batch', `put ${from} ${there}\nget ${there} ${back}\n`);
      const ran = await at.raw('sftp', ['-F', at.door.config, '-v', '-o', 'RekeyLimit=1M', '-b', batch, 'box'], slow);
      return { exchanges: manyOf(ran), same: (await at.raw('cmp', [from, back])).code === 0 ? 'same' : 'another' };
    },
  },
  {
    name: 'PuTTY: plink',
    fails: true,
    async run(at) {
      await at.raw('puttygen', [at.door.identity, '-O', 'private', '-o', join(at.folder, 'key.ppk')]);
      const words = await plinkWords(at, ['-v', '-i', join(at.folder, 'key.ppk')], ['cat; exit 7']);
      const { code, stdout, stderr } = await at.raw('plink', words, { input: 'through plink', env: { HOME: at.folder } });
      // It likes the hybrid with NTRU Prime better, which OpenSSH has and the gateway has not.
      const hybrid = /Doing (?:ML-KEM|NTRU Prime).*hybrid key exchange/.test(stderr.toString());
      return { exchange: hybrid ? 'hybrid' : stderr.toString(), ran: `exit ${code}, ${stdout.toString()}` };
    },
  },
  {
    name: 'Dropbear: dbclient, which sends a guess',
    fails: true,
    async run(at) {
      const { host, port, user, identity } = at.door;
      const words = ['-y', '-T', '-i', identity, '-p', String(port), `${user}@${host}`, 'cat; exit 7'];
      const { code, stdout } = await at.raw('dbclient', words, { input: 'through dropbear', env: { HOME: at.folder } });
      return `exit ${code}, ${stdout.toString()}`;
    },
  },
];

/** The methods of all exchanges of a connection, in their order, as `ssh -v` says. */
export function exchanges({ stderr }: Ran): readonly string[] {
  return [...stderr.toString().matchAll(/kex: algorithm: (\S+)/g)].map(([, name]) => name!);
}

function verbose({ door }: SshWorkplace, words: readonly string[], { options = [], ...rest }: VerboseOptions = {}): Promise<Ran> {
  return door.ssh(words, { ...slow, ...rest, options: ['-v', '-o', 'LogLevel=DEBUG1', ...options] });
}

type VerboseOptions = RunOptions & { readonly options?: readonly string[] };

/** From 10.1 on ssh warns of other exchanges, on several lines that begin with two asterisks. */
function warnings({ stderr }: Ran): string {
  return stderr
    .toString()
    .split('\n')
    .filter((line) => /^\*\*|warning/i.test(line))
    .join('\n');
}

/** How many there were is not the same with and without the gateway. */
function manyOf(ran: Ran): string {
  const all = exchanges(ran);
  return `${all.length > 10 ? 'many' : all.length} of ${[...new Set(all)].join()}`;
}

async function copies(
  at: SshWorkplace,
  program: string,
  words: (from: string, to: string) => readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const [from, there, back] = [join(at.folder, 'from'), join(at.folder, 'there'), join(at.folder, 'back')];
  writeFileSync(from, content);
  const put = await at.raw(program, words(from, `box:${there}`), slow);
  const got = await at.raw(program, words(`box:${there}`, back), slow);
  return { put: manyOf(put), got: manyOf(got), same: (await at.raw('cmp', [from, back])).code === 0 ? 'same' : 'another' };
}

const slow: RunOptions = { timeoutMs: 120_000 };

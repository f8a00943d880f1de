import { writeFileSync } from 'node:fs';
import { sftpSession } from '../../src/protocols/ssh/sftp/session.ts';
import type { DataClass } from '../../src/masking/types.ts';
import { Direct } from './files-direct.ts';

/** What OpenSSH's `sftp -D` and `scp -D` start in place of a server: the session between them and the real server. */
export interface BridgeSettings {
  readonly dataClasses: readonly DataClass[];
  readonly opaqueTransfers: boolean;
  /** Operations whose text begins so are refused. */
  readonly refuse: readonly string[];
  readonly folder: string;
  /** Where what went on record is written in the end. */
  readonly record: string;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as BridgeSettings;
const direct = new Direct(
  {
    ...settings,
    program: ['/usr/lib/openssh/sftp-server'],
    decide: (operation) => (settings.refuse.some((text) => operation.text.startsWith(text)) ? `no ${operation.text}` : undefined),
    reply: (stream, bytes) => void process[stream].write(bytes),
    over: (exit) => {
      const { asked, refused, completed, notes } = direct.recorded;
      const record = { asked: asked.map(({ text }) => text), refused: refused.map(({ why }) => why), completed, notes };
      writeFileSync(settings.record, JSON.stringify(record));
      process.exitCode = exit ?? 255;
      process.stdin.destroy();
    },
  },
  sftpSession,
);
process.stdin.on('data', (bytes) => direct.send(bytes));
process.stdin.on('end', () => direct.end());

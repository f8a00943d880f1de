import { decodeLimits } from './decode.ts';
import { packet, statusPacket } from './encode.ts';
import type { SftpHost } from './host.ts';
import { maxDataBytes, maxPacketBytes, STATUS, TYPE, type Extension } from './messages.ts';
import { FileOperation, prepareQuestion } from './operation.ts';

/** Of the protocol itself; what is larger than the gateway bears is not offered. */
export function askLimits(host: SftpHost, id: number): void {
  host.upstream.ask(
    host.grant,
    (answer, raw) => {
      if (answer.kind !== 'extended-reply') {
        host.reply(host.grant, answer.kind === 'status' ? packet(TYPE.status, id, { raw }) : statusPacket(id, STATUS.failure, 'no limits'));
        return;
      }
      const own = [maxPacketBytes, maxDataBytes, maxDataBytes, undefined];
      const limits = decodeLimits(answer.bytes).map((limit, index) => {
        const most = own[index];
        return most === undefined || (limit > 0n && limit < BigInt(most)) ? limit : BigInt(most);
      });
      host.reply(host.grant, packet(TYPE.extendedReply, id, ...limits));
    },
    TYPE.extended,
    'limits@openssh.com',
  );
}

/** Which users and groups there are: no file, so that it goes with the subsystem. */
export function askNames(
  host: SftpHost,
  id: number,
  { name, users, groups }: Extract<Extension, { readonly name: 'users-groups-by-id@openssh.com' }>,
): void {
  const acts = [{ action: 'ssh:sftp', object: { type: 'Target', id: host.context.session.target.name } }] as const;
  const prepared = prepareQuestion(host, {
    acts,
    facts: { transfer: 'sftp' },
    pureRead: true,
    text: 'look up names of users and groups',
    exact: [],
  });
  const operation = new FileOperation(host.context, prepared);
  const [askedUsers, askedGroups] = [users.slice(), groups.slice()];
  host.ask(operation, undefined, (outcome) => {
    if (outcome.kind === 'refused') {
      host.refuse(id, outcome.fault, operation.id);
      return;
    }
    const then = (answer: { readonly kind: string }, raw: Uint8Array): void => {
      const isFine = answer.kind === 'extended-reply';
      host.reply(
        outcome.grant,
        isFine || answer.kind === 'status'
          ? packet(isFine ? TYPE.extendedReply : TYPE.status, id, { raw })
          : statusPacket(id, STATUS.failure, 'no names'),
      );
      host.complete(operation.id, { outcome: isFine ? 'succeeded' : 'failed' });
    };
    host.upstream.ask(outcome.grant, then, TYPE.extended, name, askedUsers, askedGroups);
  });
}

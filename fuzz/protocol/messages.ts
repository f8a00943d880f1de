import type { Random } from '../random.ts';
import { int16, int32, message, text } from '../wire.ts';

/** A client's messages after sign-in: sensible ones in any order, and then bent. */
export interface Sent {
  readonly bytes: Uint8Array;
  readonly told: string;
}

export function makeMessages(random: Random): Sent[] {
  const made = Array.from({ length: random.between(1, 14) }, () => valid(random));
  if (random.chance(0.75)) made.push(plain('S', 'Sync'));
  const bent = random.chance(0.5) ? made : made.flatMap((one) => (random.chance(0.15) ? bend(one, random) : [one]));
  return random.chance(0.1) ? random.shuffled(bent) : bent;
}

function valid(random: Random): Sent {
  const statement = random.pick(names);
  const portal = random.pick(names);
  const sql = random.pick(statements);
  switch (random.below(15)) {
    case 0:
    case 1:
      return sent(message('Q', text(sql)), `Query ${sql}`);
    case 2:
    case 3:
      return sent(message('P', text(statement), text(sql), int16(0)), `Parse ${statement} ${sql}`);
    case 4:
    case 5: {
      const formats = random.pick([[], [0], [1], [0, 1]]);
      const values = random.pick([[], ['1'], ['1', 'x']]);
      const parameters = values.flatMap((value) => [int32(value.length), Buffer.from(value)]);
      const body = [
        text(portal),
        text(statement),
        int16(0),
        int16(values.length),
        ...parameters,
        int16(formats.length),
        ...formats.map(int16),
      ];
      return sent(message('B', ...body), `Bind ${portal} to ${statement}, ${values.length} parameters`);
    }
    case 6:
    case 7:
    case 8: {
      const most = random.pick([0, 0, 1, 2]);
      return sent(message('E', text(portal), int32(most)), `Execute ${portal} ${most}`);
    }
    case 9: {
      const what = random.pick(['S', 'P']);
      return sent(message('D', Buffer.from(what), text(portal)), `Describe ${what} ${portal}`);
    }
    case 10: {
      const what = random.pick(['S', 'P']);
      return sent(message('C', Buffer.from(what), text(portal)), `Close ${what} ${portal}`);
    }
    case 11:
      return plain('S', 'Sync');
    case 12:
      return plain('H', 'Flush');
    case 13:
      return random.pick([
        sent(message('d', Buffer.from('5\tcopied\n')), 'CopyData'),
        plain('c', 'CopyDone'),
        sent(message('f', text('no')), 'CopyFail'),
      ]);
    default:
      return random.pick([
        sent(message('F', int32(1598), int16(0), int16(0), int16(0)), 'FunctionCall'),
        sent(message('p', text('secret')), 'PasswordMessage'),
        plain('X', 'Terminate'),
        sent(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]), 'SSLRequest'),
        sent(message(String.fromCharCode(random.below(256)), random.bytes(random.below(20))), 'a message of a random type'),
        plain('S', 'Sync'),
        plain('S', 'Sync'),
        plain('S', 'Sync'),
      ]);
  }
}

function bend({ bytes, told }: Sent, random: Random): Sent[] {
  const bent = Buffer.from(bytes);
  switch (random.below(8)) {
    case 0:
      return [sent(bent.subarray(0, random.below(bent.length)), `${told}, cut`)];
    case 1:
      return [sent(bytes, told), sent(bytes, `${told}, again`)];
    case 2:
      return [];
    case 3: {
      for (let count = random.between(1, 3); count > 0; count--) bent[random.below(bent.length)] = random.below(256);
      return [sent(bent, `${told}, changed`)];
    }
    case 4: {
      if (bent.length < 5) return [];
      bent.writeUInt32BE(random.pick([0, 1, 3, 4, 5, 9_999, 0x00ff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]), 1);
      return [sent(bent, `${told}, with length ${bent.readUInt32BE(1)}`)];
    }
    case 5: {
      const at = random.below(bent.length);
      return [
        sent(Buffer.concat([bent.subarray(0, at), random.bytes(random.between(1, 9)), bent.subarray(at)]), `${told}, with bytes in it`),
      ];
    }
    case 6: {
      const body = Buffer.concat([bent.subarray(5), random.bytes(random.between(1, 5))]);
      return [sent(message(String.fromCharCode(bent[0] ?? 0x53), body), `${told}, with bytes behind it`)];
    }
    default: {
      const at = random.below(bent.length);
      bent[at] = 0;
      return [sent(bent, `${told}, with a zero at ${at}`)];
    }
  }
}

/** What a server sends, bent: the message kinds stay mostly possible, so that it gets far. */
export function bendAnswer(bytes: Buffer, random: Random): Buffer[] {
  const bent = Buffer.from(bytes);
  switch (random.below(9)) {
    case 0:
      return [];
    case 1:
      return [bytes, bytes];
    case 2:
      return [bent.subarray(0, random.below(bent.length))];
    case 3:
      bent[0] = random.pick(Array.from('CDEGHIKNRSTVWZdcnst123AXv', (tag) => tag.charCodeAt(0)));
      return [bent];
    case 4:
      bent.writeUInt32BE(random.pick([0, 3, 4, 6, 5000, 0x7fff_ffff, 0xffff_ffff]), 1);
      return [bent];
    case 5:
      return [message('Z', Buffer.from(random.pick(['I', 'T', 'E', '?']))), bytes];
    case 6:
      return [
        bytes,
        message(
          random.pick(['C', 'D', 'T', '1', '2', '3', 'n', 'G', 'H', 'd', 'c', 'N', 'A', 'S', 'E', 's', 'I', 't', 'W', 'V']),
          random.bytes(random.below(24)),
        ),
      ];
    default:
      for (let count = random.between(1, 4); count > 0; count--) bent[5 + random.below(Math.max(1, bent.length - 5))] = random.below(256);
      return [bent.subarray(0, bytes.length)];
  }
}

function plain(tag: string, told: string): Sent {
  return sent(message(tag), told);
}

function sent(bytes: Uint8Array, told: string): Sent {
  return { bytes, told };
}

const names = ['', '', 'a', 'b', 'q'];

/** Each is found again in the server's log by its text. */
const statements = [
  'select 1',
  'select generate_series(1, 5)',
  'select $1::int + 1',
  'select $1::text, $2::text',
  '',
  ';',
  'select 1; select 2',
  'begin',
  'commit',
  'rollback',
  'savepoint s',
  'rollback to s',
  'select 1/0',
  'selec',
  'insert into notes values (1, $$x$$)',
  'insert into notes values ($1, $$y$$) returning id',
  'delete from notes where id = 1',
  'delete from forbidden',
  'select * from forbidden',
  'select 1; delete from forbidden',
  'drop table forbidden',
  'copy notes from stdin',
  'copy notes to stdout',
  'copy (select 1) to stdout (format binary)',
  'prepare a as select 7',
  'prepare b as delete from notes where id = 9',
  'execute a',
  'execute b',
  'deallocate a',
  'deallocate all',
  'declare a cursor for select generate_series(1, 9)',
  'declare q cursor with hold for select 3',
  'fetch 2 from a',
  'fetch all from q',
  'close a',
  'close all',
  'discard all',
  'explain select 1',
  "set application_name = 'fuzz'",
  'show work_mem',
  'create temp table t (a int)',
  'select * from t',
  'drop table t',
  'listen fuzz',
  'notify fuzz',
  'unlisten *',
  'do $$ begin perform 1; end $$',
  'values (1), (2)',
  'lock table notes in access share mode',
];

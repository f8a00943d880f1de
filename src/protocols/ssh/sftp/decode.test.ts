import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../../core/fault.ts';
import { decodeAnswer, decodeHello, decodeLimits, decodeRequest } from './decode.ts';
import { namePacket, packet, packetBefore, statusPacket, type Field } from './encode.ts';
import { TYPE, type Request } from './messages.ts';

const noAttributes = Uint8Array.of(0, 0, 0, 0);
/** Attributes with size, owner, permissions and times, and one extended pair. */
const allAttributes = packet(0, undefined, 0x8000_000f, 5n, 1000, 100, 0o100644, 7, 8, 1, 'name', 'value').subarray(5);
const body = (type: number, ...fields: readonly Field[]): Uint8Array => packet(type, 77, ...fields).subarray(4);
const handle = Uint8Array.of(1, 2, 3, 4);

/** Each request of the draft and of OpenSSH, as it stands on the wire. */
const requests: readonly (readonly [Partial<Request> | Record<string, unknown>, Uint8Array])[] = [
  [{ kind: 'open', path: '/a', flags: 0x1a }, body(TYPE.open, '/a', 0x1a, { raw: allAttributes })],
  [{ kind: 'close' }, body(TYPE.close, handle)],
  [{ kind: 'read', offset: 1n << 40n, length: 32768 }, body(TYPE.read, handle, 1n << 40n, 32768)],
  [{ kind: 'write', offset: 3n }, body(TYPE.write, handle, 3n, 'data')],
  [{ kind: 'lstat', path: 'b' }, body(TYPE.lstat, 'b')],
  [{ kind: 'fstat' }, body(TYPE.fstat, handle)],
  [{ kind: 'setstat', path: '/é' }, body(TYPE.setstat, '/é', { raw: allAttributes })],
  [{ kind: 'fsetstat' }, body(TYPE.fsetstat, handle, { raw: allAttributes })],
  [{ kind: 'opendir', path: '/' }, body(TYPE.opendir, '/')],
  [{ kind: 'readdir' }, body(TYPE.readdir, handle)],
  [{ kind: 'remove', path: '/a' }, body(TYPE.remove, '/a')],
  [{ kind: 'mkdir', path: '/a' }, body(TYPE.mkdir, '/a', { raw: noAttributes })],
  [{ kind: 'rmdir', path: '/a' }, body(TYPE.rmdir, '/a')],
  [{ kind: 'realpath', path: '.' }, body(TYPE.realpath, '.')],
  [{ kind: 'stat', path: '/a' }, body(TYPE.stat, '/a')],
  [{ kind: 'rename', from: '/a', to: '/b' }, body(TYPE.rename, '/a', '/b')],
  [{ kind: 'readlink', path: '/a' }, body(TYPE.readlink, '/a')],
  [{ kind: 'symlink', target: '../t', path: '/l' }, body(TYPE.symlink, '../t', '/l')],
  [{ kind: 'extended' }, body(TYPE.extended, 'posix-rename@openssh.com', '/a', '/b')],
  [{ kind: 'extended' }, body(TYPE.extended, 'hardlink@openssh.com', '/a', '/b')],
  [{ kind: 'extended' }, body(TYPE.extended, 'statvfs@openssh.com', '/a')],
  [{ kind: 'extended' }, body(TYPE.extended, 'fstatvfs@openssh.com', handle)],
  [{ kind: 'extended' }, body(TYPE.extended, 'fsync@openssh.com', handle)],
  [{ kind: 'extended' }, body(TYPE.extended, 'lsetstat@openssh.com', '/a', { raw: allAttributes })],
  [{ kind: 'extended' }, body(TYPE.extended, 'limits@openssh.com')],
  [{ kind: 'extended' }, body(TYPE.extended, 'expand-path@openssh.com', '~/a')],
  [{ kind: 'extended' }, body(TYPE.extended, 'copy-data', handle, 0n, 0n, handle, 0n)],
  [{ kind: 'extended' }, body(TYPE.extended, 'home-directory', 'root')],
  [{ kind: 'extended' }, body(TYPE.extended, 'users-groups-by-id@openssh.com', Uint8Array.of(0, 0, 0, 0), noAttributes)],
];

describe('requests of SFTP', () => {
  it('are read field by field', () => {
    for (const [expected, bytes] of requests) {
      const read = decodeRequest(bytes) as Record<string, unknown>;
      assert.equal(read['id'], 77);
      for (const [name, value] of Object.entries(expected)) assert.deepEqual(read[name], value, `${String(expected.kind)} ${name}`);
    }
  });

  it('read attributes and keep them as they came', () => {
    const read = decodeRequest(body(TYPE.setstat, '/a', { raw: allAttributes }));
    assert(read.kind === 'setstat');
    const { size, owner, permissions, times, bytes } = read.attributes;
    assert.deepEqual(
      { size, owner, permissions, times },
      { size: 5n, owner: { user: 1000, group: 100 }, permissions: 0o100644, times: { access: 7, modification: 8 } },
    );
    assert.deepEqual(Buffer.from(bytes), Buffer.from(allAttributes));
  });

  it('cut short anywhere, or with a byte too much, are malformed', () => {
    for (const [, bytes] of requests) {
      for (let length = 5; length < bytes.length; length += 1)
        assert.match(decodeRequest(bytes.subarray(0, length)).kind, /malformed|unknown/);
      assert.match(decodeRequest(Buffer.concat([bytes, Buffer.from('x')])).kind, /malformed/);
    }
  });

  it('of which the path is no text are malformed', () => {
    for (const path of [
      Uint8Array.of(0x2f, 0xff),
      Uint8Array.of(0x2f, 0x61, 0, 0x62),
      Uint8Array.of(0xc0, 0xaf),
      new Uint8Array(5000).fill(0x61),
    ])
      assert.equal(decodeRequest(body(TYPE.remove, path)).kind, 'malformed');
  });

  it('with flags, attributes or types that nobody knows are not guessed at', () => {
    assert.equal(decodeRequest(body(TYPE.open, '/a', 0x41, { raw: noAttributes })).kind, 'malformed');
    assert.equal(decodeRequest(body(TYPE.setstat, '/a', 0x10)).kind, 'malformed');
    assert.equal(decodeRequest(body(21, '/a')).kind, 'unknown');
    assert.equal(decodeRequest(body(TYPE.status, 0)).kind, 'unknown');
    assert.equal(decodeRequest(body(TYPE.extended, 'md5-hash@openssh.com', '/a', 0n, 0n)).kind, 'unknown');
    assert.equal(decodeRequest(body(TYPE.extended, 'limits@openssh.com', 'more')).kind, 'malformed');
  });
});

describe('answers of SFTP', () => {
  it('are read as they are written', () => {
    assert.deepEqual(decodeAnswer(statusPacket(5, 3, 'no').subarray(4)), { id: 5, kind: 'status', code: 3, message: 'no' });
    assert.deepEqual(decodeAnswer(packet(TYPE.status, 5, 1).subarray(4)), { id: 5, kind: 'status', code: 1, message: '' });
    const name = { name: Buffer.from('a'), longName: Buffer.from('-rw a'), attributes: Buffer.from(noAttributes) };
    const names = decodeAnswer(namePacket(6, [name, name]).subarray(4));
    assert(names.kind === 'name');
    assert.deepEqual(
      names.names.map(({ longName }) => Buffer.from(longName).toString()),
      ['-rw a', '-rw a'],
    );
    const data = decodeAnswer(Buffer.concat([packetBefore(3, TYPE.data, 7), Buffer.from('abc')]).subarray(4));
    assert(data.kind === 'data');
    assert.equal(Buffer.from(data.data).toString(), 'abc');
    assert.deepEqual(decodeLimits(packet(0, undefined, 1n, 2n, 3n, 4n).subarray(5)), [1n, 2n, 3n, 4n]);
  });

  it('that are none are a violation', () => {
    for (const bytes of [
      body(TYPE.open, '/a'),
      body(TYPE.name, 0xffff_ffff),
      body(TYPE.handle, new Uint8Array(300)),
      Uint8Array.of(101),
      body(TYPE.data, 5),
    ])
      assert.throws(() => decodeAnswer(bytes), GatewayFault);
  });

  it('begin with a greeting', () => {
    const hello = packet(TYPE.version, undefined, 3, 'a', '1', 'b', '2').subarray(4);
    assert.deepEqual(decodeHello(hello, TYPE.version), {
      version: 3,
      extensions: [
        ['a', '1'],
        ['b', '2'],
      ],
    });
    assert.throws(() => decodeHello(hello, TYPE.init), GatewayFault);
    assert.throws(() => decodeHello(hello.subarray(0, hello.length - 1), TYPE.version), GatewayFault);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCanonical, parseCanonical } from './canonical.ts';
import { crc32c } from './crc32c.ts';
import { describeDifference } from './differences.ts';
import { tilePath } from './files.ts';
import { leafHash, otherKey, signNote, treeRoot } from './forge.test.ts';
import { openCheckpoint, parseVerifierKey } from './note.ts';
import { parseRecord } from './record.ts';
import { hashLeaf, TileTree } from './tree.ts';

/** Against the examples that the specifications and other implementations publish. */

test('RFC 6962 roots: the eight-leaf tree of the Certificate Transparency test data', () => {
  const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
  const roots = [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ];
  const hashes = Buffer.alloc(256 * 32);
  for (const [place, leaf] of leaves.entries()) {
    const bytes = Buffer.from(`ff${leaf}`, 'hex');
    hashLeaf(bytes, 1, bytes.length, hashes, place);
  }
  for (const [count, root] of roots.entries()) assert.equal(new TileTree().root(hashes, count).toString('hex'), root);
});

test('roots by tiles are those of the definition, at every size around a tile', () => {
  const hashes = Array.from({ length: 1100 }, (_, index) => leafHash(Buffer.from(String(index))));
  const tree = new TileTree();
  for (let size = 0; size <= hashes.length; size += 1) {
    const rest = hashes.slice(tree.tiles * 256, size);
    if ([0, 1, 2, 3, 127, 128, 129, 254, 255, 256].includes(rest.length)) {
      assert.deepEqual(tree.root(Buffer.concat(rest), rest.length), treeRoot(hashes.slice(0, size)), `size ${size}`);
    }
    if (rest.length === 256) tree.append(Buffer.concat(rest));
  }
});

test('a checkpoint of the Go checksum database', () => {
  const key = parseVerifierKey('sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8');
  const note =
    'go.sum database tree\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n' +
    '\u2014 sum.golang.org Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n';
  const opened = openCheckpoint(Buffer.from(note), key, 'go.sum database tree');
  assert.ok(opened.ok);
  assert.equal(opened.checkpoint.size, 20_852_163);
  const other = openCheckpoint(Buffer.from(note.replace('20852163', '20852164')), key, 'go.sum database tree');
  assert.ok(!other.ok && other.kind === 'forged-checkpoint');
});

test('signed notes: other signatures are ignored, a bad one of the log’s key is not', () => {
  const own = otherKey('log.example/a');
  const key = parseVerifierKey(own.line);
  const note = signNote(own, []);
  const witness = signNote(otherKey('witness.example'), []).split('\n').at(-2)!;
  const foreign = signNote(otherKey('log.example/a'), []).split('\n').at(-2)!;
  const bad = signNote(own, [Buffer.from('{}')])
    .split('\n')
    .at(-2)!;
  const open = (text: string): string => {
    const opened = openCheckpoint(Buffer.from(text), key, own.name);
    return opened.ok ? 'ok' : opened.kind;
  };
  assert.equal(open(note), 'ok');
  assert.equal(open(`${note}${witness}\n${foreign}\n`), 'ok');
  assert.equal(open(`${note}${bad}\n`), 'forged-checkpoint');
  assert.equal(open(`${note.slice(0, note.indexOf('\u2014'))}${witness}\n`), 'forged-checkpoint');
  for (const broken of [
    note.slice(0, -1),
    note.replace('\n\n', '\n'),
    `${note}\n`,
    note.replace('\u2014', '-'),
    `${note}\u2014 x !\n`,
    note.replace('\n0\n', '\n0\n\u0007\n'),
    '',
  ]) {
    assert.equal(open(broken), 'altered', JSON.stringify(broken));
  }
  assert.equal(open(note.replace('\n0\n', '\n00\n')), 'forged-checkpoint');
});

test('verifier keys that are none', () => {
  const { line } = otherKey('log.example/a');
  assert.equal(parseVerifierKey(`${line}\n`).line, line);
  for (const wrong of [
    '',
    'a+b',
    line.replace('+', '+0'),
    line.slice(0, -1),
    line.replace(/\+.{8}\+/, '+00000000+'),
    ` ${line}`,
    `${line}\n\n`,
  ]) {
    assert.throws(() => parseVerifierKey(wrong), Error, wrong);
  }
});

test('CRC-32C of the nine digits, and of every length by which four bytes at a time could go wrong', () => {
  assert.equal(crc32c(Buffer.from('123456789'), 0, 9), 0xe3069283);
  const zeros = [0x00000000, 0x527d5351, 0xf16177d2, 0x6064a37a, 0x48674bc7];
  for (const [length, sum] of zeros.entries()) assert.equal(crc32c(Buffer.alloc(8), 3, 3 + length), sum);
  // RFC 3720 appendix B.4: 32 bytes of zeros, of ones.
  assert.equal(crc32c(Buffer.alloc(32), 0, 32), 0x8a9136aa);
  assert.equal(crc32c(Buffer.alloc(32, 0xff), 0, 32), 0x62a8ab43);
});

test('RFC 8785: order of members (section 3.2.3), numbers (appendix B), strings (section 3.2.2.2)', () => {
  const members = {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Dalet',
    '1': 'One',
    '\u{1f600}': 'Face',
    '\u0080': 'Control',
    ö: 'O',
  };
  const canonical = '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"O","€":"Euro Sign","\u{1f600}":"Face","\ufb33":"Dalet"}';
  assert.equal(encodeCanonical(members), canonical);
  assert.deepEqual(parseCanonical(Buffer.from(canonical)), members);
  assert.equal(
    encodeCanonical([Number('333333333.33333329'), 1e30, 4.5, 2e-3, 1e-27, -0, 9007199254740994]),
    '[333333333.3333333,1e+30,4.5,0.002,1e-27,0,9007199254740994]',
  );
  assert.equal(encodeCanonical('\u20ac$\u000f\u000aA\'B"\\\\"/'), '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"');
  assert.equal(encodeCanonical({ b: [{}, null, true], a: { d: 1, c: '' } }), '{"a":{"c":"","d":1},"b":[{},null,true]}');
});

test('JSON that is not canonical is refused, whatever it is that differs', () => {
  for (const text of [
    '{"b":1,"a":2}',
    '{"a":1,"a":1}',
    '{"a":1, "b":2}',
    '{"a":1}\n',
    '\ufeff{}',
    '{"a":1.0}',
    '{"a":1e2}',
    '{"a":-0}',
    '{"a":1e999}',
    '{"a":"\\u0041"}',
    '{"a":"\\/"}',
    '{"a":"\\ud800"}',
    '{"\\udc00":1}',
    '{"9":1,"10":2}',
    '{"a":{"9":1,"10":2}}',
    '{"a":[{"z":1,"y":2}]}',
    '{"__proto__":1,"Z":2}',
    `${'['.repeat(30_000)}${']'.repeat(30_000)}x`,
    '{',
    '',
  ]) {
    assert.throws(() => parseCanonical(Buffer.from(text)), Error, text.slice(0, 40));
  }
  assert.throws(() => parseCanonical(Buffer.from('7b2261223a22ff227d', 'hex')), /UTF-8/);
  assert.deepEqual(parseCanonical(Buffer.from('{"10":2,"9":1,"Z":2,"__proto__":[]}')), JSON.parse('{"10":2,"9":1,"Z":2,"__proto__":[]}'));
});

test('records need their common members and a time that exists', () => {
  const record = { gateway: 'g', policy_version: '', time: '2026-11-22T00:00:00.000Z', type: 'x', v: 1 };
  assert.equal(parseRecord(Buffer.from(JSON.stringify(record))).type, 'x');
  for (const changes of [
    { v: 2 },
    { gateway: 1 },
    { time: '2026-02-30T00:00:00.000Z' },
    { time: '2026-11-22T00:00:00Z' },
    { type: undefined },
  ]) {
    assert.throws(() => parseRecord(Buffer.from(JSON.stringify({ ...record, ...changes }))), Error, JSON.stringify(changes));
  }
  assert.throws(() => parseRecord(Buffer.from('[]')), /not a JSON object/);
});

test('paths of tiles', () => {
  assert.equal(tilePath(0, 5), 'tile/0/005');
  assert.equal(tilePath('entries', 1_234_067), 'tile/entries/x001/x234/067');
  assert.equal(tilePath(12, 1000), 'tile/12/x001/000');
});

test('differences are named for what was done', () => {
  const hashes = (text: string) => ({
    bytes: Buffer.concat(text.split('').map((letter) => leafHash(Buffer.from(letter)))),
    count: text.length,
  });
  const differ = (right: string, found: string) => {
    const difference = describeDifference(hashes(right), hashes(found), 100);
    return difference === undefined ? 'same' : `${difference.kind} ${difference.place}: ${difference.detail}`;
  };
  assert.equal(differ('abcdefgh', 'abcdefgh'), 'same');
  assert.equal(differ('abcdefgh', 'abXdefgh'), 'altered 2: record 102 is not the one that was signed');
  assert.equal(differ('abcdefgh', 'XYZdefgh'), 'altered 0: record 100 is not the one that was signed, and 2 more of the 8 here');
  assert.equal(differ('abcdefgh', 'abdefgh'), 'removed 2: record 102 is gone');
  assert.equal(differ('abcdefgh', 'abdefghi'), 'removed 2: record 102 is gone');
  assert.equal(differ('abcdefgh', 'defgh'), 'removed 0: records 100 to 102 are gone');
  assert.equal(differ('abcdefgh', 'abcdef'), 'removed 6: records 106 to 107 are gone');
  assert.equal(differ('abcdefgh', 'abXcdefg'), 'inserted 2: a record was put in at 102');
  assert.equal(differ('abcdefgh', 'abbcdefg'), 'inserted 2: a record was put in at 102, copied from nearby');
  assert.equal(differ('abcdefgh', 'abcdefghX'), 'inserted 8: a record was put in at 108');
  assert.equal(differ('abcdefgh', 'abdcefgh'), 'reordered 2: 2 records, the first of them 102, stand in another order');
});

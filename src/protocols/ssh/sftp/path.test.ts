import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { areRelated, canonicalPath, FileObjects, nameIn } from './path.ts';

describe('paths', () => {
  it('have one form', () => {
    for (const [path, expected] of [
      ['', '/home/deploy'],
      ['.', '/home/deploy'],
      ['a', '/home/deploy/a'],
      ['./a//b/./c/', '/home/deploy/a/b/c'],
      ['../../../../etc/passwd', '/etc/passwd'],
      ['/', '/'],
      ['//', '/'],
      ['/a/../../..', '/'],
      ['/etc/./passwd', '/etc/passwd'],
      ['/etc/.../passwd', '/etc/.../passwd'],
      ['/etc\\..\\x', '/etc\\..\\x'],
      ['~/x', '/home/deploy/~/x'],
    ] as const)
      assert.equal(canonicalPath(path, '/home/deploy'), expected, path);
    assert.equal(canonicalPath('x', '/'), '/x');
  });

  it('end in a name, or in none', () => {
    assert.deepEqual(nameIn('/a/b'), { folder: '/a', name: 'b' });
    assert.deepEqual(nameIn('/a/b///'), { folder: '/a', name: 'b' });
    assert.deepEqual(nameIn('b'), { folder: '.', name: 'b' });
    assert.deepEqual(nameIn('/b'), { folder: '/', name: 'b' });
    for (const path of ['', '/', '.', '..', '/a/..', '/a/.', '/a/../']) assert.equal(nameIn(path), undefined, path);
  });

  it('are related where one is the other or lies in it', () => {
    assert(areRelated('/a', '/a'));
    assert(areRelated('/a/b', '/a'));
    assert(areRelated('/', '/a'));
    assert(!areRelated('/a', '/ab'));
    assert(!areRelated('/a/b', '/a/c'));
  });

  it('lie for policy in every folder above them, up to the root of their target', () => {
    const objects = new FileObjects('web-1');
    const ids: string[] = [];
    for (let object = objects.of('/srv/a/b'); ; object = object.parents[0]!) {
      ids.push(object.id);
      if (object.parents === undefined || object.parents.length === 0) break;
    }
    assert.deepEqual(ids, ['web-1/srv/a/b', 'web-1/srv/a', 'web-1/srv', 'web-1/']);
    assert.equal(objects.of('/srv/a/b'), objects.of('/srv/a/b'));
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { canonicalTarget, targetBounds, targetText, type CanonicalTarget } from './path.ts';

describe('a request target', () => {
  const canonical: readonly (readonly [title: string, sent: string, forwarded: string])[] = [
    ['the root', '/', '/'],
    ['plain segments', '/api/v1/users', '/api/v1/users'],
    ['a slash at the end is a name of its own', '/api/v1/', '/api/v1/'],
    ['unreserved characters stand for themselves', '/%61%7A%41%5A%30%39%2D%2E%5F%7Ex', '/azAZ09-._~x'],
    ['so do those that a segment may have', '/%21%24%26%27%28%29%2A%2C%3D%3A%40', "/!$&'()*,=:@"],
    ['a plus is escaped however it came, as some read it as a space', '/a+b/a%2Bb', '/a%2Bb/a%2Bb'],
    ['other escapes have capital digits', '/caf%c3%a9/%3f/%23/%5b', '/caf%C3%A9/%3F/%23/%5B'],
    ['a percent sign that is no escape when decoded', '/100%25/5%25off', '/100%25/5%25off'],
    ['a dot that is not at the end', '/.well-known/a..b/...c', '/.well-known/a..b/...c'],
    ['an ellipsis that is not at the end', '/more%E2%80%A6pdf', '/more%E2%80%A6pdf'],
    ['a query without anything', '/?', '/?'],
    ['a query keeps its spelling', '/a?b=c%2fd%26e&f=g+h%20i&&=j&k', '/a?b=c%2Fd%26e&f=g+h%20i&&=j&k'],
    ['a query decodes what is unreserved', '/a?%62=%7e', '/a?b=~'],
    ['a query may have slashes and question marks', '/a?b=/c//../?d', '/a?b=/c//../?d'],
    ['a semicolon in a query separates for no one', '/a?b=1;c=2', '/a?b=1%3Bc=2'],
    ['a value may hold an address with escapes', '/a?next=%2Fb%3Fc%3D%252F', '/a?next=%2Fb%3Fc%3D%252F'],
    ['a value may have lines', '/a?q=sum(x)%0D%0A%09by(y)', '/a?q=sum(x)%0D%0A%09by(y)'],
  ];
  for (const [title, sent, forwarded] of canonical) {
    it(title, () => {
      assert.equal(targetText(read(sent)), forwarded);
      assert.equal(targetText(read(forwarded)), forwarded);
    });
  }

  it('is decoded once for policy', () => {
    assert.equal(read('/caf%C3%A9/a%20b/100%25/%2b').decodedPath, '/café/a b/100%/+');
    assert.equal(read('/%EF%BB%BFa').decodedPath, '/\ufeffa');
  });

  it('has parameters as a form has them', () => {
    assert.deepEqual(read('/a?x=1&%78=2&y&=z&&caf%C3%A9=a+b%2B%26&q=1;r=2&e=').parameters, [
      { name: 'x', value: '1', canonical: 'x=1' },
      { name: 'x', value: '2', canonical: 'x=2' },
      { name: 'y', value: '', canonical: 'y' },
      { name: '', value: 'z', canonical: '=z' },
      { name: 'café', value: 'a b+&', canonical: 'caf%C3%A9=a+b%2B%26' },
      { name: 'q', value: '1;r=2', canonical: 'q=1%3Br=2' },
      { name: 'e', value: '', canonical: 'e=' },
    ]);
    assert.equal(read('/a').query, undefined);
    assert.equal(read('/a?').query, '');
  });
});

describe('a request target is refused', () => {
  const refused: readonly (readonly [code: string, why: RegExp, sent: readonly string[]])[] = [
    ['unsupported', /does not begin/, ['', '*', 'a', 'http://gateway/a', 'https://gateway', 'gateway:443', '?a', ' /a', '%2Fa']],
    ['unclassified', /"\/\/"/, ['//', '//a', '/a//b', '/a//', '///', '//gateway/a']],
    ['unclassified', /segment "\." or "\.\."/, ['/.', '/..', '/a/./b', '/a/../b', '/a/..', '/%2e/a', '/%2e%2e', '/.%2E/a', '/a/%2E.']],
    ['unclassified', /ends in a dot or a space/, ['/a.', '/a./b', '/a%2e/b', '/...', '/a%20', '/a%20/b', '/%20', '/a.%20', '/a%20.']],
    ['unclassified', /ends in a dot or a space/, ['/a%E2%80%A4', '/a%E2%80%A6', '/a%C2%A0', '/a%E3%80%80/b', '/a%EF%BC%8E']],
    ['unclassified', /segment "\." or "\.\."/, ['/%E2%80%A5/a', '/%EF%BC%8E%EF%BC%8E/a', '/.%E2%80%A4/a', '/%EF%B9%92/a']],
    ['unclassified', /escaped "\/"/, ['/a%2Fb', '/a%2fb', '/%2F', '/..%2F', '/a%EF%BC%8Fb', '/a%E2%88%95b', '/a%E2%81%84b', '/%E2%84%80']],
    ['unclassified', /"\\"/, ['/a%5Cb', '/a%5cb', '/..%5C', '/a%EF%BC%BCb', '/a%EF%B9%A8b', '/a%E2%88%96b', '/a%C2%A5b', '/a%E2%82%A9b']],
    ['unclassified', /";"/, ['/a;b', '/a;', '/;', '/a;b=c/d', '/..;/a', '/a%3Bb', '/a%3bjsessionid=1', '/a%EF%BC%9Bb', '/a%CD%BEb']],
    ['unclassified', /control character/, ['/%00', '/a%00.js', '/a%0d%0ab', '/a%09b', '/%7F', '/a%C2%80b', '/a%C2%9Fb', '/a%1f']],
    ['unclassified', /escape of an escape/, ['/%252e%252e', '/a%252Fb', '/%25%32%65', '/%2561', '/a%25u002eb', '/a%EF%BC%8541b']],
    [
      'unclassified',
      /not valid UTF-8/,
      ['/%c0%ae', '/%c0%af', '/%e0%80%ae', '/%f0%80%80%ae', '/%ff', '/%c3', '/%c3/%a9', '/%ed%a0%80', '/%80'],
    ],
    ['unclassified', /not valid UTF-8/, ['/a?b=%ff', '/a?%c0%ae=b', '/a?b=%c3&c=%a9']],
    ['protocol-violation', /has to be escaped/, ['/a\\b', '/a b', '/a#b', '/a?b#c', '/a"', '/<a>', '/a|b', '/a^b', '/a`b', '/{a}', '/[a]']],
    [
      'protocol-violation',
      /has to be escaped/,
      ['/é', '/\u00ff', '/\u{1f600}', '/a\tb', '/a\0', '/a\r\nb', '/\x7f', '/a?b\\', '/a?[b]=c', '/a?b= c'],
    ],
    ['protocol-violation', /two hex digits/, ['/%', '/a%', '/%2', '/%zz', '/%2g', '/%u002e', '/%%41', '/a?%', '/a?b=%4', '/%\uff11\uff11']],
    ['unclassified', /"\+" in the name/, ['/a?b+c=d', '/a?+b', '/a?b&c+']],
    ['unclassified', /control character in the name/, ['/a?b%00=c', '/a?%0Ab=c', '/a?b%C2%85']],
    ['unclassified', /control character in a value/, ['/a?b=%00', '/a?b=c%00d', '/a?b=%1B%5B0m', '/a?b=%7f', '/a?b=%C2%85']],
    ['unclassified', /escape of an escape in the name/, ['/a?%2562=c', '/a?b%2526c=d']],
    [
      'unsupported',
      /another method/,
      ['/a?_method=DELETE', '/a?b=c&%5fmethod=x', '/a?_METHOD', '/a?%20_method=x', '/a?.method=x', '/a?X-HTTP-Method-Override=PUT'],
    ],
    [
      'limit-exceeded',
      /octets/,
      [`/${'%61'.repeat(targetBounds.octets / 2)}`, `/${'a'.repeat(targetBounds.octets)}`, `/a?b=${';'.repeat(targetBounds.octets / 2)}`],
    ],
    ['limit-exceeded', /segments/, ['/a'.repeat(targetBounds.segments + 1)]],
    ['limit-exceeded', /parameters/, [`/?${'&'.repeat(targetBounds.parameters)}`]],
  ];
  for (const [code, why, targets] of refused) {
    for (const sent of targets) {
      it(`${code} ${why.source}: ${JSON.stringify(sent.slice(0, 40))}`, () => {
        const fault = canonicalTarget(sent);
        assert.ok(fault instanceof GatewayFault, 'it is accepted');
        assert.equal(fault.code, code);
        assert.match(fault.publicMessage, why);
      });
    }
  }

  it('only beyond its bounds', () => {
    for (const sent of [
      `/${'a'.repeat(targetBounds.octets - 1)}`,
      '/a'.repeat(targetBounds.segments),
      `/?${'&'.repeat(targetBounds.parameters - 1)}`,
    ]) {
      assert.equal(targetText(read(sent)), sent);
    }
  });
});

function read(sent: string): CanonicalTarget {
  const target = canonicalTarget(sent);
  if (target instanceof GatewayFault) throw target;
  return target;
}

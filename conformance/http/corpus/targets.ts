import { product } from './sending.ts';

/**
 * Request targets by families of mutation. Generated, so that a family is complete in its way: every octet, every spelling of a dot beside every spelling of
 * a slash. `case-0000` stands where each target gets its number.
 */
export interface TargetFamily {
  readonly name: string;
  /** What whoever sends these hopes for. */
  readonly intent: string;
  /** `either`: some of each; what is accepted must be understood in the same way by everyone. */
  readonly expected: 'refused' | 'accepted' | 'either';
  readonly targets: readonly string[];
}

export function targetFamilies(): readonly TargetFamily[] {
  return [
    {
      name: 'dot segments',
      intent: 'climb out of the part of the site that policy allows',
      expected: 'refused',
      targets: product(dots, dots, slashes).flatMap(([first, second, slash]) => [
        `/case-0000/public/${first}${second}${slash}admin`,
        `/case-0000/public${slash}${first}${second}/admin`,
      ]),
    },
    {
      name: 'single dots',
      intent: 'a name that is not the forbidden one until dots are taken out',
      expected: 'refused',
      targets: dots.flatMap((dot) => [
        `/case-0000/${dot}/admin`,
        `/${dot}/case-0000/admin`,
        `/case-0000/admin/${dot}`,
        `/case-0000/admin${dot}`,
        `/case-0000/admin${dot}/keys`,
      ]),
    },
    {
      name: 'slashes',
      intent: 'one segment for policy, two for the server, or the other way round',
      expected: 'refused',
      targets: slashes
        .filter((slash) => slash !== '/')
        .flatMap((slash) => [
          `/case-0000/admin${slash}keys`,
          `${slash}case-0000/admin`,
          `/case-0000${slash}`,
          `/case-0000/admin${slash}/keys`,
          `/case-0000/${slash}admin`,
        ]),
    },
    {
      name: 'every octet, escaped',
      intent: 'an octet that some server drops, cuts the path at, or takes for a delimiter',
      expected: 'either',
      targets: octets.flatMap((octet) => [
        `/case-0000/ad${escaped(octet)}min`,
        `/case-0000/admin${escaped(octet).toLowerCase()}`,
        `/case-0000/admin?na${escaped(octet)}me=value`,
        `/case-0000/admin?name=val${escaped(octet).toLowerCase()}ue`,
      ]),
    },
    {
      name: 'every octet, raw',
      intent: 'the same, where nothing has to be decoded',
      expected: 'either',
      targets: octets.flatMap((octet) => [`/case-0000/ad${raw(octet)}min`, `/case-0000/admin?na${raw(octet)}me=val${raw(octet)}ue`]),
    },
    {
      name: 'letters of every alphabet',
      intent: 'characters that turn into others by normalisation or best fit',
      expected: 'either',
      targets: codePoints.flatMap((point) => [
        `/case-0000/ad${utf8(point)}min`,
        `/case-0000/admin${utf8(point)}`,
        `/case-0000/admin?n${utf8(point)}=${utf8(point)}`,
      ]),
    },
    {
      name: 'not UTF-8',
      intent: 'a delimiter spelled so that only a lax decoder sees it',
      expected: 'refused',
      targets: notUtf8.flatMap((bytes) => [
        `/case-0000/${bytes}`,
        `/case-0000/a${bytes}admin`,
        `/case-0000/admin?${bytes}=1`,
        `/case-0000/admin?name=${bytes}`,
      ]),
    },
    {
      name: 'decoded twice',
      intent: 'a path that policy reads decoded once and the server twice',
      expected: 'refused',
      targets: '/.\\;%?#a0&=\0\n'.split('').flatMap((character) => {
        const once = escaped(character.charCodeAt(0));
        const twice = [
          escapeAgain(once),
          escapeAgain(escapeAgain(once)),
          `%25${once
            .slice(1)
            .split('')
            .map((digit) => escaped(digit.charCodeAt(0)))
            .join('')}`,
        ];
        return twice.flatMap((text) => [`/case-0000/a${text}admin`, `/case-0000/${text.toLowerCase()}`, `/case-0000/admin?na${text}me`]);
      }),
    },
    {
      name: 'path parameters',
      intent: 'what a servlet container cuts off before it routes',
      expected: 'refused',
      targets: [';', '%3b', '%3B', '%EF%BC%9B', '%CD%BE'].flatMap((semicolon) =>
        ['', 'a', 'a=b', 'jsessionid=1', '.css', '..', 'a=b,c'].flatMap((parameter) => [
          `/case-0000/admin${semicolon}${parameter}`,
          `/case-0000${semicolon}${parameter}/admin`,
          `/case-0000/..${semicolon}${parameter}/admin`,
        ]),
      ),
    },
    {
      name: 'malformed escapes',
      intent: 'escapes that one decoder leaves alone and another one guesses',
      expected: 'refused',
      targets: ['%', '%2', '%g0', '%0g', '%%', '%%32%65', '%u002e', '%u2215', '%-1', '%+2', '% 2', '%2 ', '%x2f', '%２Ｆ'].flatMap(
        (escape) => [`/case-0000/ad${escape}`, `/case-0000/${escape}/admin`, `/case-0000/admin?a=${escape}`, `/case-0000/admin?${escape}`],
      ),
    },
    {
      name: 'spellings of one name',
      intent: 'a spelling that no rule of policy names, and the server decodes',
      expected: 'accepted',
      targets: [
        ...product(['a', '%61'], ['d', '%64'], ['min', '%6Din', 'm%69n', 'mi%6e', '%6d%69%6e']).map(
          (parts) => `/case-0000/${parts.join('')}`,
        ),
        ...pathCharacters
          .split('')
          .flatMap((character) => [
            `/case-0000/a${character}b`,
            `/case-0000/a${escaped(character.charCodeAt(0))}b`,
            `/case-0000/${character}b`,
          ]),
        ...['ADMIN', 'Admin', '%41DMIN', 'adm%49n', 'admin/', 'admin/%61/'].map((name) => `/case-0000/${name}`),
      ],
    },
    {
      name: 'names that look like something else',
      intent: 'a segment that a library takes for a host, a port, a scheme or a query',
      expected: 'accepted',
      targets: [
        'http:',
        '@host',
        ':80',
        'user:pass@host',
        '%3Fx=1',
        '%23x',
        '~root',
        '...a',
        '.env',
        'a..b',
        '$%7Bx%7D',
        '%5B::1%5D',
        '*',
        '%25',
        '%2B',
        '__proto__',
        'con',
        'a::$DATA',
      ].flatMap((name) => [`/case-0000/${name}`, `/${name}/case-0000`, `/case-0000/${name}/x`]),
    },
    {
      name: 'other forms',
      intent: 'a host in the target that is not the one in Host',
      expected: 'refused',
      targets: [
        ...['http', 'https', 'HTTP', 'file', 'ws', 'javascript'].flatMap((scheme) =>
          ['://', ':/', ':///', ':'].map((separator) => `${scheme}${separator}gateway/case-0000`),
        ),
        '//gateway/case-0000',
        '///case-0000',
        '/\\gateway/case-0000',
        '\\case-0000',
        'case-0000',
        './case-0000',
        '../case-0000',
        '*',
        '*?case-0000',
        '?case-0000',
        '#case-0000',
        'gateway:443',
        '',
        ' /case-0000',
        '%2Fcase-0000',
        '@gateway/case-0000',
        ':case-0000',
      ],
    },
    {
      name: 'fragments',
      intent: 'a tail that one server cuts off',
      expected: 'refused',
      targets: ['/case-0000#', '/case-0000#/admin', '/case-0000/#', '/case-0000?a#b', '/case-0000?a=b#', '/case-0000/%41#?a'],
    },
    {
      name: 'parameters',
      intent: 'a parameter that policy does not see, or sees where there is none',
      expected: 'accepted',
      targets: product(
        ['a', 'a.b', 'a-b', '%C3%A4', 'a%5B%5D', 'a:b', 'a%3Db', 'a%26b'],
        ['', '=', '=1', '==', '=1=2', '=%26b=2', '=+', '=%2B', '=;b=2', '=?b', '=/b', '=%3Bb=3', '=%2526b=2'],
      ).flatMap(([name, value]) => [`/case-0000/x?${name}${value}`, `/case-0000/x?z&${name}${value}&z=2`]),
    },
    {
      name: 'odd separators',
      intent: 'a list of parameters that splits differently',
      expected: 'accepted',
      targets: [
        '&',
        '&&',
        '?',
        '??',
        '=',
        '=&=',
        '&a',
        'a&',
        'a&&b',
        'a;b',
        'a=1;b=2',
        'a?b',
        'a?b=c',
        'a,b',
        'a/b',
        '/',
        '//',
        '/../',
        '..',
        '.',
        'a=..',
        'a=http://x//y',
      ].map((query) => `/case-0000/x?${query}`),
    },
    {
      name: 'methods in the query',
      intent: 'another method than the one that policy was asked about',
      expected: 'refused',
      targets: [
        '_method',
        '_METHOD',
        '%5Fmethod',
        '_m%65thod',
        '.method',
        '%20_method',
        'X-HTTP-Method-Override',
        'x_http_method',
        'x.method.override',
      ].flatMap((name) => [`/case-0000/x?${name}=DELETE`, `/case-0000/x?a=b&${name}=PUT`, `/case-0000/x?${name}`]),
    },
    {
      name: 'beyond the bounds',
      intent: 'a tail that a server cuts off, or work without end',
      expected: 'refused',
      targets: [
        `/case-0000/${'a'.repeat(8_000)}`,
        `/case-0000${'/a'.repeat(64)}`,
        `/case-0000?${'a&'.repeat(256)}`,
        `/case-0000?${';'.repeat(3_000)}`,
        `/case-0000?${'a'.repeat(8_000)}`,
      ],
    },
  ];
}

const octets = Array.from({ length: 256 }, (_, octet) => octet);
const pathCharacters = "-._~!$&'()*+,=:@";
const dots = ['.', '%2e', '%2E', '%252e', '%c0%ae', '%EF%BC%8E', '%u002e'];
const slashes = ['/', '%2f', '%2F', '\\', '%5c', '%5C', '//', '%252F', '%c0%af', '%EF%BC%8F', '%E2%88%95', '%ef%bc%bc'];
/** The ends of UTF-8's lengths, delimiters' relatives, things that combine, things that cannot be seen, and plain letters. */
const codePoints = [
  0x80, 0x85, 0x9f, 0xa0, 0xa5, 0xad, 0xe9, 0x130, 0x131, 0x17f, 0x1c0, 0x2c6, 0x2dc, 0x301, 0x37e, 0x7ff, 0x800, 0x1680, 0x2000, 0x200b,
  0x200e, 0x2024, 0x2025, 0x2026, 0x2028, 0x2029, 0x202e, 0x2044, 0x2060, 0x20a9, 0x2100, 0x2105, 0x2215, 0x2216, 0x212a, 0x24b6, 0x29f5,
  0x29f8, 0x29f9, 0x3000, 0x3002, 0x4e2d, 0xac00, 0xd7ff, 0xe000, 0xfb01, 0xfe52, 0xfe68, 0xfeff, 0xff05, 0xff0e, 0xff0f, 0xff1b, 0xff1f,
  0xff3c, 0xff61, 0xfffd, 0xffff, 0x10000, 0x1f600, 0xe0020, 0x10ffff,
];
/** Overlong forms of `/`, `.`, `a` and NUL, surrogates, what is beyond Unicode, and sequences that end early. */
const notUtf8 = [
  ...[0x2f, 0x2e, 0x61, 0x00].flatMap((octet) => [
    `%${hex(0xc0 | (octet >> 6))}%${hex(0x80 | (octet & 0x3f))}`,
    `%E0%${hex(0x80 | (octet >> 6))}%${hex(0x80 | (octet & 0x3f))}`,
    `%F0%80%${hex(0x80 | (octet >> 6))}%${hex(0x80 | (octet & 0x3f))}`,
    `%F8%80%80%${hex(0x80 | (octet >> 6))}%${hex(0x80 | (octet & 0x3f))}`,
  ]),
  '%80',
  '%BF',
  '%C3',
  '%C3%C3%A9',
  '%E2%82',
  '%E2%82a',
  '%F0%9F%98',
  '%ED%A0%80',
  '%ED%BF%BF',
  '%F4%90%80%80',
  '%FE',
  '%FF',
  '%C3/%A9',
  '%E9',
];

function escaped(octet: number): string {
  return `%${hex(octet)}`;
}

function raw(octet: number): string {
  return String.fromCharCode(octet);
}

function utf8(point: number): string {
  return encodeURIComponent(String.fromCodePoint(point));
}

function escapeAgain(text: string): string {
  return text.replaceAll('%', '%25');
}

function hex(octet: number): string {
  return octet.toString(16).toUpperCase().padStart(2, '0');
}

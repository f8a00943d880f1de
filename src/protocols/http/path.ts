import { GatewayFault, toFault } from '../../core/fault.ts';
import { decodesTwice, respell, type Spelled, type Spelling } from './escapes.ts';

/**
 * The request target as policy reads it, and as it is forwarded. Both are one reading: what an upstream could take for another resource
 * than the one that policy was asked about is refused, never repaired.
 */
export interface CanonicalTarget {
  /** Begins with `/`, ASCII, every octet in its one spelling. Forwarded as it stands; an upstream's own base path goes before it. */
  readonly path: string;
  /** `path` with its escapes decoded, for policy. As `%2F` is refused, `/` separates segments here too and is never inside of one. */
  readonly decodedPath: string;
  /** Without `?`, ASCII; undefined where the target has none (an empty one is `''`). Forwarded as it stands. */
  readonly query: string | undefined;
  /** The query's parameters in order, decoded once as application/x-www-form-urlencoded. Names are for policy, values for masking. */
  readonly parameters: readonly QueryParameter[];
}

export interface QueryParameter {
  readonly name: string;
  /** `''` also where there is no `=`. */
  readonly value: string;
  /** Both as they are forwarded, `name=value`. */
  readonly canonical: string;
}

/** Bounds of a request target. */
export const targetBounds = {
  /** Octets, as sent and as forwarded: what every server should take (RFC 9110 section 4.1), and nginx and HAProxy do by default. */
  octets: 8_000,
  /** Segments of the path: each may become an object that policy is asked about. */
  segments: 64,
  /** Parameters of the query. */
  parameters: 256,
} as const;

/**
 * Reads the request target of RFC 9112 section 3.2. Only origin-form is spoken: absolute-form names a host a second time, and by RFC 9112
 * section 3.2.2 that one wins over Host, which not every upstream knows; `*` names no resource that policy could be asked about.
 *
 * Never throws. Faults: `protocol-violation` for what is outside RFC 3986, `unclassified` for what servers read in different ways,
 * `unsupported` for other forms and for methods given in the query, `limit-exceeded` for `targetBounds`.
 *
 * | refused in a path | because |
 * |---|---|
 * | `//` | some servers merge slashes, and URL libraries take what follows for a host (RFC 3986 section 4.2) |
 * | `.`, `..`, any segment that ends in `.` or a space | removed before routing or after it (RFC 3986 section 5.2.4); Windows drops dots and spaces at the end |
 * | `\` and `%5C` | a slash on Windows and in WHATWG URLs |
 * | `%2F` | a slash for servers that decode before they route, a character of a segment for the others |
 * | `;` and `%3B` | path parameters, which servlet containers cut off before they route (RFC 3986 section 3.3) |
 * | `%25` before two hex digits, or `u` and four | decoded once more by whoever decodes twice |
 * | control characters, above all `%00` | end the name for whoever hands it to C, forge lines in logs and headers |
 * | escapes that are not UTF-8 | overlong forms spell `/` and `.` for lax decoders (RFC 3629 section 10) |
 * | characters that turn into one of these | in compatibility form (NFKC), or by the best fit of a Windows code page |
 *
 * Everything else has one spelling afterwards: what may stand for itself in a segment does (RFC 3986 section 6.2.2.2; also the reserved characters, which
 * most servers decode before they route), the rest is escaped with capital digits. But `+` is always `%2B`: a space to servers that read paths like forms.
 *
 * The query keeps its spelling, but for what is unreserved (decoded), hex digits (capitals) and `;`, which becomes `%3B`: raw, it separates parameters for
 * some servers. A parameter's name may have no `+` (a space in forms, a plus elsewhere), no control character, and nothing that decodes twice; a value may
 * have line breaks, and escapes of its own, as an address in an address has.
 *
 * Not seen from here: names that are one and the same to the upstream alone, by case, by Unicode normalisation, by a `/` at the end, as 8.3 names.
 */
export function canonicalTarget(target: string): CanonicalTarget | GatewayFault {
  try {
    return readTarget(target);
  } catch (error) {
    return toFault(error);
  }
}

/** The target as it is forwarded. `canonicalTarget` of it is the same again. */
export function targetText({ path, query }: Pick<CanonicalTarget, 'path' | 'query'>): string {
  return query === undefined ? path : `${path}?${query}`;
}

function readTarget(target: string): CanonicalTarget {
  withinBound(target.length, targetBounds.octets, 'octets');
  if (!target.startsWith('/')) {
    throw new GatewayFault('unsupported', {
      publicMessage: 'the request target does not begin with "/"',
      detail: `a request target in ${target === '*' ? 'asterisk-form' : 'absolute- or authority-form'}`,
      hint: 'Send the path alone and the host in Host; the gateway is no forward proxy.',
    });
  }
  const mark = target.indexOf('?');
  const segments = readPath(mark < 0 ? target : target.slice(0, mark));
  const parameters = mark < 0 ? [] : readQuery(target.slice(mark + 1));
  const canonical = {
    path: `/${segments.map((segment) => segment.canonical).join('/')}`,
    decodedPath: `/${segments.map((segment) => segment.decoded).join('/')}`,
    query: mark < 0 ? undefined : parameters.map((parameter) => parameter.canonical).join('&'),
    parameters: parameters.filter(({ canonical }) => canonical !== ''),
  };
  withinBound(targetText(canonical).length, targetBounds.octets, 'octets');
  return canonical;
}

function readPath(path: string): readonly Spelled[] {
  const segments = path.slice(1).split('/');
  withinBound(segments.length, targetBounds.segments, 'segments');
  const empty = segments.indexOf('');
  if (empty >= 0 && empty < segments.length - 1) throw ambiguous('path', '"//"');
  return segments.map(readSegment);
}

function readSegment(text: string): Spelled {
  const segment = respell(text, pathSpelling);
  refuseAmbiguous(segment.decoded);
  // ASCII has no other form.
  if (segment.canonical.includes('%')) refuseAmbiguous(bestFit(segment.decoded.normalize('NFKC')));
  return segment;
}

function refuseAmbiguous(segment: string): void {
  if (segment === '.' || segment === '..') throw ambiguous('path', 'a segment "." or ".."');
  if (segment.endsWith('.') || segment.endsWith(' ')) throw ambiguous('path', 'a segment that ends in a dot or a space');
  if (segment.includes('/')) throw ambiguous('path', 'an escaped "/"');
  if (segment.includes('\\')) throw ambiguous('path', 'a "\\"');
  if (segment.includes(';')) throw ambiguous('path', 'a ";"');
  if (hasControl(segment, '')) throw ambiguous('path', 'an escaped control character');
  if (decodesTwice(segment)) throw ambiguous('path', 'an escape of an escape');
}

/** With the characters that code pages of Windows have no room for, and turn into `/` and `\`, turned into those. */
function bestFit(segment: string): string {
  let fitted = '';
  for (const character of segment) fitted += likeSlash.includes(character) ? '/' : likeBackslash.includes(character) ? '\\' : character;
  return fitted;
}

function readQuery(query: string): readonly QueryParameter[] {
  const parameters = query.split('&');
  withinBound(parameters.length, targetBounds.parameters, 'parameters');
  return parameters.map(readParameter);
}

/** Parameters by which frameworks (Rails, Laravel, Symfony) take a request for one of another method. */
export function namesAnotherMethod(parameter: string): boolean {
  return methodParameters.has(asVariable(parameter));
}

function readParameter(text: string): QueryParameter {
  const equals = text.indexOf('=');
  const name = respell(equals < 0 ? text : text.slice(0, equals), querySpelling);
  const value = equals < 0 ? undefined : respell(text.slice(equals + 1), querySpelling);
  if (name.canonical.includes('+')) throw ambiguous('query', 'a "+" in the name of a parameter');
  if (hasControl(name.decoded, '')) throw ambiguous('query', 'a control character in the name of a parameter');
  if (decodesTwice(name.decoded)) throw ambiguous('query', 'an escape of an escape in the name of a parameter');
  if (namesAnotherMethod(name.decoded)) {
    throw new GatewayFault('unsupported', {
      publicMessage: 'the query of the request names another method than the one that policy is asked about',
      hint: 'Send the method itself.',
    });
  }
  if (value !== undefined && hasControl(value.decoded, lineCharacters)) throw ambiguous('query', 'a control character in a value');
  const canonical = value === undefined ? name.canonical : `${name.canonical}=${value.canonical}`;
  return { name: name.decoded, value: value?.decoded ?? '', canonical };
}

/** As PHP names a parameter's variable: no space before it, and what no variable may have in its name as `_`. */
export function asVariable(name: string): string {
  return name
    .trim()
    .replace(/[^A-Za-z0-9]/g, '_')
    .toLowerCase();
}

/** C0, DEL and C1. */
function hasControl(text: string, allowed: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if ((code < 0x20 || (code >= 0x7f && code <= 0x9f)) && !allowed.includes(text[at]!)) return true;
  }
  return false;
}

function ambiguous(part: string, what: string): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: `the ${part} of the request has ${what}, which servers read in different ways`,
    hint: 'Send the plain name of one resource.',
  });
}

function withinBound(count: number, bound: number, unit: string): void {
  if (count <= bound) return;
  throw new GatewayFault('limit-exceeded', { publicMessage: `the request target has more than ${bound} ${unit}` });
}

// RFC 3986 section 2.3, section 2.2, appendix A.
const unreserved = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~';
const subDelims = "!$&'()*+,;=";
const pchar = `${unreserved}${subDelims}:@`;

const pathSpelling: Spelling = {
  part: 'path',
  raw: new Set(pchar),
  unescaped: new Set(pchar.replace('+', '')),
  escaped: '+',
  space: '',
};
const querySpelling: Spelling = {
  part: 'query',
  raw: new Set(`${pchar}/?`),
  unescaped: new Set(unreserved),
  escaped: ';',
  space: '+',
};

/** Line breaks and tabs, which texts of several lines have. */
const lineCharacters = '\t\n\r';
/** FRACTION SLASH, DIVISION SLASH, BIG SOLIDUS. */
const likeSlash = '\u2044\u2215\u29f8';
/** SET MINUS, REVERSE SOLIDUS OPERATOR, BIG REVERSE SOLIDUS, and the currency signs in its place in Japan and Korea. */
const likeBackslash = '\u2216\u29f5\u29f9\u00a5\u20a9';
/** As `asVariable` has them. Symfony, and Express with its module for it, run a POST as what one of these says. */
const methodParameters: ReadonlySet<string> = new Set(['_method', 'x_http_method', 'x_http_method_override', 'x_method_override']);

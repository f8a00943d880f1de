import { RecentMap } from '../../core/recent-map.ts';
import type { HeaderField } from '../request.ts';

/** What a body is, as far as masking can deal with it. */
export type MediaKind =
  | 'json'
  /** One JSON text a line. */
  | 'json-lines'
  /** Server-sent events. */
  | 'events'
  | 'form'
  | 'text'
  /** Pictures, sound, fonts: no text that detectors could find. */
  | 'picture'
  /** Anything else, or nothing said of it. */
  | 'unknown';

export interface MediaType {
  /** Lower case, without parameters; empty where it is missing, given more than once, or cannot be read. */
  readonly name: string;
  readonly kind: MediaKind;
  /** UTF-8 or nothing else said. */
  readonly isUtf8: boolean;
}

/** Of a message by its Content-Type (RFC 9110 section 8.3). */
export function mediaTypeOf(fields: readonly HeaderField[]): MediaType {
  let value: string | undefined;
  for (const field of fields) {
    if (field.name !== 'content-type') continue;
    if (value !== undefined) return UNREADABLE;
    ({ value } = field);
  }
  if (value === undefined) return UNREADABLE;
  let known = KNOWN.get(value);
  // It is asked about at every step of a request, and there are few of them.
  if (known === undefined && value.length <= LONGEST_REMEMBERED) KNOWN.set(value, (known = read(value)));
  return known ?? read(value);
}

function read(value: string): MediaType {
  const [whole = '', name = '', parameters = ''] = /^([\w!#$&^.+-]+\/[\w!#$&^.+-]+)\s*((?:;.*)?)$/.exec(value) ?? [];
  if (whole === '') return UNREADABLE;
  const lower = name.toLowerCase();
  return { name: lower, kind: kindOf(lower), isUtf8: charsets(parameters).every((charset) => UTF8.has(charset)) };
}

/** Of a text: character references stand for characters. */
export function isMarkup(name: string): boolean {
  return name === 'text/html' || name === 'text/xml' || name === 'application/xml' || name.endsWith('+xml');
}

function kindOf(name: string): MediaKind {
  if (name === 'text/event-stream') return 'events';
  if (LINES.has(name)) return 'json-lines';
  if (name === 'application/json' || name === 'text/json' || name.endsWith('+json')) return 'json';
  if (name === 'application/x-www-form-urlencoded') return 'form';
  if (name.startsWith('text/') || TEXT.has(name) || name.endsWith('+xml') || name.endsWith('+yaml')) return 'text';
  return /^(?:image|audio|video|font)\//.test(name) ? 'picture' : 'unknown';
}

function charsets(parameters: string): string[] {
  return [...parameters.matchAll(/;\s*charset\s*=\s*("?)([^";\s]*)\1/gi)].map(([, , charset = '']) => charset.toLowerCase());
}

const UNREADABLE: MediaType = { name: '', kind: 'unknown', isUtf8: false };
const KNOWN = new RecentMap<string, MediaType>(200);
const LONGEST_REMEMBERED = 100;
const UTF8: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii']);
const LINES: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
  'application/x-jsonl',
  'application/jsonlines',
  'application/x-jsonlines',
  'application/json-lines',
]);
const TEXT: ReadonlySet<string> = new Set([
  'application/xml',
  'application/javascript',
  'application/x-javascript',
  'application/ecmascript',
  'application/yaml',
  'application/x-yaml',
  'application/toml',
  'application/sql',
  'application/graphql',
]);

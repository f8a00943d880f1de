import type { HeaderField, ReceivedRequest } from '../request.ts';
import { LEFT_OUT, speaksOfCredential, withoutSecretMembers } from './credentials.ts';
import { isOfOneTry } from './head-names.ts';
import { textOf } from './mask.ts';
import { maskedForm, maskedJson, maskedText, type MaskedCounts } from './mask-text.ts';
import type { HttpMasks } from './masks.ts';
import { mediaTypeOf } from './media.ts';

/**
 * A request as people and the record see it: the line, the fields that are bound by an approval, the body. Everything sensitive is masked,
 * and what stands under a name that speaks of a credential is left out whole.
 */
export function recordedText(masks: HttpMasks, request: ReceivedRequest): string {
  const counts: MaskedCounts = new Map();
  const shown = ({ name, value }: HeaderField): string =>
    `${name}: ${speaksOfCredential(name) || mayCarryToken(name) ? LEFT_OUT : maskedText(masks, value, counts)}`;
  const head = [
    `${request.method} ${recordedTarget(masks, request, counts)}`,
    ...upgradeLine(request),
    ...shownFields(request.forwardable).map(shown),
    ...trailerLines(request, shown),
  ];
  return withBody(head, recordedBody(masks, request, counts));
}

/** The same with nothing masked, for the reviewer who decides on it. */
export function exactText(request: ReceivedRequest): string {
  const { path, query } = request.target;
  const shown = ({ name, value }: HeaderField): string => `${name}: ${value}`;
  const head = [
    `${request.method} ${query === undefined ? path : `${path}?${query}`}`,
    ...upgradeLine(request),
    ...shownFields(request.forwardable).map(shown),
    ...trailerLines(request, shown),
  ];
  return withBody(head, request.body.kind === 'whole' ? (textOf(request.body.bytes) ?? describeBody(request)) : describeBody(request));
}

/** No name of a field has a space in it. */
function trailerLines({ trailers = [] }: ReceivedRequest, shown: (field: HeaderField) => string): readonly string[] {
  return shownFields(trailers).map((field) => `trailer ${shown(field)}`);
}

function upgradeLine({ upgrade }: ReceivedRequest): readonly string[] {
  return upgrade === undefined ? [] : [`upgrade: ${upgrade}`];
}

/** Clients that can set no field of their own for a WebSocket (browsers) put their token into the list of sub-protocols. */
function mayCarryToken(name: string): boolean {
  return name === 'sec-websocket-protocol';
}

/** What an approval binds of the fields: all that go upstream, save those by which one request is told from its repetition. */
export function boundFields(fields: readonly HeaderField[]): readonly HeaderField[] {
  return fields.some(({ name }) => isOfOneTry(name)) ? fields.filter(({ name }) => !isOfOneTry(name)) : fields;
}

function shownFields(fields: readonly HeaderField[]): readonly HeaderField[] {
  return boundFields(fields).filter(({ name }) => !TELLS_NOTHING.has(name) && !name.startsWith('sec-fetch-'));
}

function recordedTarget(masks: HttpMasks, { target }: ReceivedRequest, counts: MaskedCounts): string {
  const masked = maskedText(masks, target.decodedPath, counts);
  const path = masked === target.decodedPath ? target.path : masked;
  if (target.query === undefined) return path;
  // As it was sent, one line, except where something is masked: what a value means could look like the next lines of the request.
  const parameters = target.parameters.map(({ name, value, canonical }) => {
    const shownName = maskedText(masks, name, counts);
    const shownValue = speaksOfCredential(name) && value !== '' ? LEFT_OUT : maskedText(masks, value, counts);
    return shownName === name && shownValue === value ? canonical : `${onOneLine(shownName)}=${onOneLine(shownValue)}`;
  });
  return `${path}?${parameters.join('&')}`;
}

/** Escaped like a query, but for what masks are made of. */
function onOneLine(text: string): string {
  return text.replace(/[^!$'()*,./0-9:;?@A-Z[\]_a-z~-]/gu, (character) => encodeURIComponent(character));
}

function recordedBody(masks: HttpMasks, request: ReceivedRequest, counts: MaskedCounts): string {
  const { body } = request;
  if (body.kind !== 'whole' || body.bytes.length > mostShownBytes) return describeBody(request);
  const text = textOf(body.bytes);
  const { kind } = mediaTypeOf(request.fields);
  if (text === undefined) return describeBody(request);
  switch (kind) {
    case 'json': {
      const open = withoutSecretMembers(text);
      return (open === undefined ? undefined : maskedJson(masks, open, counts)) ?? describeBody(request);
    }
    case 'json-lines':
    case 'events':
    case 'text':
      // Lines of JSON could hide members from what looks at one text.
      return masks.rules.length > 0 || speaksOfCredential(text) ? describeBody(request) : maskedText(masks, text, counts);
    case 'form':
      return masks.rules.length > 0 ? describeBody(request) : maskedForm(masks, withoutCredentials(text), counts);
    case 'picture':
    case 'unknown':
      return describeBody(request);
    default:
      return kind satisfies never;
  }
}

function withoutCredentials(form: string): string {
  return form
    .split('&')
    .map((pair) => {
      const name = pair.split('=', 1)[0]!;
      return speaksOfCredential(unescaped(name)) && pair.length > name.length + 1 ? `${name}=${LEFT_OUT}` : pair;
    })
    .join('&');
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function describeBody({ body, fields }: ReceivedRequest): string {
  const what = mediaTypeOf(fields).name || 'no stated media type';
  switch (body.kind) {
    case 'none':
      return '';
    case 'whole':
      return body.bytes.length === 0 ? '' : `(a body of ${body.bytes.length} bytes, ${what}, not shown)`;
    case 'streamed':
      return `(a body of ${body.octets ?? 'unknown many'} bytes, ${what}, passed as it came)`;
    default:
      return body satisfies never;
  }
}

function withBody(head: readonly string[], body: string): string {
  return body === '' ? head.join('\n') : `${head.join('\n')}\n\n${body}`;
}

const mostShownBytes = 64 * 1024;
const TELLS_NOTHING: ReadonlySet<string> = new Set(['accept', 'accept-encoding', 'accept-language', 'user-agent', 'content-length']);

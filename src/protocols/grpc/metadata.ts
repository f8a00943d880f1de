import { RecentMap } from '../../core/recent-map.ts';
import { maskText, maskProse } from '../../masking/text.ts';
import { fromBase64, toBase64 } from '../base64.ts';
import type { HeaderField } from '../request.ts';
import type { GrpcMasks } from './environment.ts';

/** How many values were masked, by data class. */
export type MaskedCounts = Map<string, number>;

/**
 * Of the target's metadata what is the client's business, everything that detectors find in it masked. Values of `-bin` are looked at as text; where
 * places of the target are hidden, or its masking is strict, they are left out: nobody can tell what their octets mean.
 */
export function shownMetadata(fields: readonly HeaderField[], masks: GrpcMasks, counts: MaskedCounts): readonly HeaderField[] {
  const shown = fields.filter(({ name }) => isShown(name));
  if (!masks.hides) return shown;
  return shown.flatMap((field) => {
    if (PLAIN.has(field.name)) return [field];
    return field.name.endsWith('-bin') ? shownBinary(field, masks, counts) : [shownText(field, masks, counts)];
  });
}

export function maskedText(text: string, masks: GrpcMasks, counts: MaskedCounts): string {
  const found = maskText(masks.classes, masks.detectors, text);
  if (found === undefined) return text;
  for (const name of found.found) addTo(counts, name, 1);
  return found.text ?? maskProse(masks.classes, masks.detectors, text);
}

export function addTo(counts: MaskedCounts, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

function shownText(field: HeaderField, masks: GrpcMasks, counts: MaskedCounts): HeaderField {
  const value = maskedText(field.value, masks, counts);
  return value === field.value ? field : { name: field.name, value };
}

function shownBinary({ name, value }: HeaderField, masks: GrpcMasks, counts: MaskedCounts): readonly HeaderField[] {
  if (masks.mode === 'strict' || masks.holdsPlaces) return [];
  const shown: string[] = [];
  for (const part of value.split(',')) {
    const octets = binaryValue(part);
    if (octets === undefined) return [];
    const text = decoder.decode(octets);
    const masked = maskedText(text, masks, counts);
    shown.push(masked === text ? part : toBase64(encoder.encode(masked)));
  }
  return [{ name, value: shown.join(',') }];
}

/** Base64, with padding or without it (gRPC over HTTP/2, "Binary-Header"). */
export function binaryValue(value: string): Uint8Array | undefined {
  const text = value.trim();
  return fromBase64(text.padEnd(Math.ceil(text.length / 4) * 4, '='));
}

/** Servers send the same few names again and again. */
function isShown(name: string): boolean {
  let known = shownNames.get(name);
  if (known === undefined) {
    known = mayBeShown(name);
    if (name.length <= longestRemembered) shownNames.set(name, known);
  }
  return known;
}

function mayBeShown(name: string): boolean {
  if (name.startsWith('grpc-')) return RESERVED.has(name);
  return !NOT_SHOWN.has(name) && !OF_THE_GATEWAY.some((prefix) => name.startsWith(prefix));
}

/** Of what gRPC reserves, metadata that is no part of the status. */
const RESERVED: ReadonlySet<string> = new Set(['grpc-retry-pushback-ms', 'grpc-server-stats-bin', 'grpc-trace-bin']);
/** What the gateway alone says: to its clients, to pages of other origins. */
const OF_THE_GATEWAY: readonly string[] = ['sallyport-', 'proxy-', 'access-control-'];
/** Of one connection or its framing; by which an answer would lead clients around the gateway or speak of its credential; made anew. */
const NOT_SHOWN: ReadonlySet<string> = new Set([
  'alt-svc',
  'authentication-info',
  'content-type',
  'content-encoding',
  'endpoint-load-metrics-bin',
  'set-cookie',
  'set-cookie2',
  'www-authenticate',
]);
/** Nothing sensitive has this form. */
const PLAIN: ReadonlySet<string> = new Set(['date', 'grpc-retry-pushback-ms']);
const shownNames = new RecentMap<string, boolean>(500);
const longestRemembered = 64;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

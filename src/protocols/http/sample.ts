import { speaksOfCredential, withoutSecretMembers } from './credentials.ts';
import type { AnswerHead, SampleWindow } from '../request.ts';
import { lineMasker } from './mask-lines.ts';
import { eventMasker } from './mask-pieces.ts';
import { maskedBody } from './mask.ts';
import type { HttpMasks } from './masks.ts';
import { mediaTypeOf, type MediaType } from './media.ts';

/**
 * What the recording keeps of an answer: its status, what it is, and the beginning of its body with everything masked, also what its principal saw. `masked`: the whole body
 * with everything masked already.
 */
export function sampleOf(
  head: AnswerHead,
  window: SampleWindow,
  masks: HttpMasks,
  masked?: Uint8Array,
): { columns: readonly string[]; row: readonly (string | null)[] } {
  const media = mediaTypeOf(head.fields);
  return {
    columns: ['status', 'content_type', 'body'],
    row: [String(head.status), media.name, bodyOf(window, media, masks, window.isWhole ? masked : undefined)],
  };
}

/** Null where nothing of it can be kept. */
function bodyOf(
  { bytes, isWhole, isCoded }: SampleWindow,
  media: MediaType,
  masks: HttpMasks,
  masked: Uint8Array | undefined,
): string | null {
  if (bytes.length === 0) return '';
  if (isCoded || !media.isUtf8) return null;
  switch (media.kind) {
    case 'events':
    case 'json-lines': {
      if (speaksOfCredential(lenient.decode(bytes))) return null;
      const masker = media.kind === 'events' ? eventMasker(masks) : lineMasker(masks);
      return cutText(pieces(() => [...masker.push(bytes), ...(isWhole ? masker.end() : [])]));
    }
    case 'json':
    case 'text':
    case 'form': {
      // A part of a JSON text is no JSON: places in it cannot be told, nor what its escapes hide.
      const text = lenient.decode(masked ?? bytes);
      const isJson = media.kind === 'json' && isWhole;
      // What has nothing more to be masked is cut first.
      const isMasked = masked !== undefined || !masks.hides;
      // Where places are hidden, nothing but JSON was masked.
      const isKnown = masked !== undefined && masks.rules.length > 0;
      const open = isJson ? withoutSecretMembers(text, isMasked ? mostCharacters + 1 : undefined, isKnown) : undefined;
      if (open === undefined && (masks.rules.length > 0 || speaksOfCredential(text) || text.includes('\\u'))) return null;
      const as = open === undefined ? { kind: media.kind === 'form' ? ('form' as const) : ('text' as const), name: media.name } : media;
      const shown = isMasked ? (open ?? text) : maskedBody(masks, as, open ?? text, new Map());
      return shown === undefined || text.includes('\0') ? null : cutText(shown);
    }
    case 'picture':
    case 'unknown':
      return null;
    default:
      return media.kind satisfies never;
  }
}

function pieces(shown: () => readonly Uint8Array[]): string {
  try {
    return shown()
      .map((piece) => lenient.decode(piece))
      .join('');
  } catch {
    return '';
  }
}

/** The window is much longer: a value that begins among the characters shown was seen whole. */
function cutText(text: string): string {
  return text.length <= mostCharacters ? text : `${text.slice(0, mostCharacters).replace(/[\ud800-\udbff]$/, '')}…`;
}

const lenient = new TextDecoder();
const mostCharacters = 2_048;

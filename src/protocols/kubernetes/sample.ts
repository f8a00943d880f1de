import { sampleOf as sampleOfHttp } from '../http/sample.ts';
import { mediaTypeOf } from '../http/media.ts';
import type { AnswerHead, SampleWindow } from '../request.ts';
import type { AnswerForm } from './mask.ts';
import { maskedObject } from './mask-object.ts';
import { listMasker, watchMasker } from './mask-pieces.ts';
import type { KubernetesMasks } from './masks.ts';

/** What the recording keeps of an answer: its status, what it is, and the beginning of its body with everything masked, also what its principal saw. */
export function sampleOf(
  head: AnswerHead,
  window: SampleWindow,
  form: AnswerForm,
  masks: KubernetesMasks,
): { columns: readonly string[]; row: readonly (string | null)[] } {
  if (form.kind === 'lines' || form.kind === 'proxied') return sampleOfHttp(head, window, masks.text);
  const media = mediaTypeOf(head.fields);
  // What is the same for everybody is no evidence, and a token is none that may be kept.
  const body = form.kind === 'open' || media.kind !== 'json' || window.isCoded ? null : objects(window, head.status, form, masks);
  return { columns: ['status', 'content_type', 'body'], row: [String(head.status), media.name, body] };
}

/** Null where nothing of it can be kept. */
function objects(
  { bytes, isWhole }: SampleWindow,
  status: number,
  form: AnswerForm & { kind: 'objects' },
  masks: KubernetesMasks,
): string | null {
  try {
    if (form.shape === 'one' || status !== 200) {
      return isWhole ? cutText(maskedObject(masks, form.place, decoder.decode(bytes), new Map()) ?? '') : null;
    }
    const masker = form.shape === 'events' ? watchMasker(masks, form.place) : listMasker(masks, form.place);
    const pieces = [...masker.push(bytes), ...(isWhole ? masker.end() : [])];
    return cutText(pieces.map((piece) => decoder.decode(piece)).join(''));
  } catch {
    return null;
  }
}

function cutText(text: string): string {
  return text.length <= mostCharacters ? text : `${text.slice(0, mostCharacters).replace(/[\ud800-\udbff]$/, '')}…`;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const mostCharacters = 2_048;

import { exactText as exactOfHttp, recordedText as recordedOfHttp } from '../http/record-text.ts';
import { LEFT_OUT } from '../http/credentials.ts';
import type { MaskedCounts } from '../http/mask-text.ts';
import type { ReceivedRequest } from '../request.ts';
import type { SentBody } from './body.ts';
import { maskedObject } from './mask-object.ts';
import type { KubernetesMasks, ObjectPlace } from './masks.ts';
import { readPatch } from './patch.ts';

/** A request as people and the record see it, everything sensitive masked. `summary`: what it does, in words, where its path does not say it. */
export function recordedText(
  masks: KubernetesMasks,
  place: ObjectPlace,
  request: ReceivedRequest,
  body: SentBody,
  summary: string,
): string {
  const head = recordedOfHttp(masks.text, { ...request, body: { kind: 'none' } });
  return [summary, head, recordedBody(masks, place, body)].filter((part) => part !== '').join('\n\n');
}

/** The same with nothing masked, for the reviewer who decides on it. */
export function exactText(request: ReceivedRequest, body: SentBody, summary: string): string {
  const head = exactOfHttp({ ...request, body: { kind: 'none' } });
  const shown = body.kind === 'none' ? '' : body.kind === 'unseen' ? UNSEEN : `${body.text}${body.isPartial ? PARTIAL : ''}`;
  return [summary, head, shown].filter((part) => part !== '').join('\n\n');
}

function recordedBody(masks: KubernetesMasks, place: ObjectPlace, body: SentBody): string {
  switch (body.kind) {
    case 'none':
      return '';
    case 'unseen':
      return UNSEEN;
    case 'object':
    case 'merge': {
      if (body.text.length > mostShownCharacters) return `(an object of ${body.text.length} characters, not shown)`;
      const counts: MaskedCounts = new Map();
      return `${maskedObject(masks, place, body.text, counts) ?? ''}${body.isPartial ? PARTIAL : ''}`;
    }
    case 'operations': {
      // Where a value stands, and so whether it is hidden, is said by a pointer, not by the value's own place.
      if (masks.rulesOf(place).length === 0) return maskedObject(masks, place, body.text, new Map()) ?? '';
      const operations = readPatch(body.value) ?? [];
      return operations.map(({ op, path }) => `${op} /${path.join('/')} ${LEFT_OUT}`).join('\n');
    }
    default:
      return body satisfies never;
  }
}

const UNSEEN = '(a body that the gateway does not read)';
const PARTIAL = '\n(it came as protobuf: fields that the gateway does not know are not shown)';
const mostShownCharacters = 64 * 1024;

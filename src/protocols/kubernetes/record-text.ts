import { escapeLine } from '../../core/escape.ts';
import { exactText as exactOfHttp, recordedText as recordedOfHttp } from '../http/record-text.ts';
import { LEFT_OUT } from '../http/credentials.ts';
import type { MaskedCounts } from '../http/mask-text.ts';
import type { ReceivedRequest } from '../request.ts';
import type { SentBody } from './body.ts';
import { execOptions } from './exec-options.ts';
import { isStream } from './facts.ts';
import { maskedObject } from './mask-object.ts';
import type { KubernetesMasks, ObjectPlace } from './masks.ts';
import { readPatch } from './patch.ts';
import type { RequestInfo } from './request-info.ts';

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

/** What happens in a pod is said in words: the query is hard to read. */
export function summaryOf({ target: { parameters } }: ReceivedRequest, info: RequestInfo | undefined): string {
  if (info?.kind !== 'resource' || !isStream(info)) return '';
  const { container, argv, tty, stdin, ports } = execOptions(parameters);
  const where = `${info.namespace}/${info.name}${container === '' ? '' : `, container ${container}`}`;
  const terminal = tty ? ', with a terminal' : stdin ? ', with input' : '';
  const what = argv.length > 0 ? `: ${argv.map(quoted).join(' ')}` : ports.length > 0 ? `: ports ${ports.join(', ')}` : '';
  return escapeLine(`${info.subresource} in ${where}${terminal}${what}`);
}

/** So that each word is seen as one. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
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

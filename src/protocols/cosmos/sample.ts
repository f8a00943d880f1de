import { withoutSecretMembers } from '../http/credentials.ts';
import type { AnswerHead, SampleWindow } from '../request.ts';
import { maskedBody, type AnswerContext } from './mask.ts';

/** What the recording keeps of an answer: its status and the beginning of its body with everything masked, also what its principal saw. */
export function sampleOf(
  head: AnswerHead,
  window: SampleWindow,
  context: AnswerContext,
): { columns: readonly string[]; row: readonly (string | null)[] } {
  return { columns: ['status', 'body'], row: [String(head.status), bodyOf(head, window, context)] };
}

/** Null where nothing of it can be kept: of a part of a JSON text, places cannot be told. */
function bodyOf({ status }: AnswerHead, { bytes, isWhole, isCoded }: SampleWindow, context: AnswerContext): string | null {
  if (bytes.length === 0) return '';
  if (!isWhole || isCoded) return null;
  const shown = maskedBody(bytes, status, context);
  const text = shown === undefined ? undefined : withoutSecretMembers(decoder.decode(shown.body));
  if (text === undefined) return null;
  return text.length <= mostCharacters ? text : `${text.slice(0, mostCharacters).replace(/[\ud800-\udbff]$/, '')}…`;
}

const decoder = new TextDecoder();
const mostCharacters = 2_048;

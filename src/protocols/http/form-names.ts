import type { ReceivedRequest } from '../request.ts';
import { textOf } from './mask.ts';
import { mediaTypeOf } from './media.ts';
import { possibleNames } from './multipart.ts';

/** Of the fields of a form. Those of a body that passes as it comes are not seen. */
export function formNames({ body, fields }: ReceivedRequest): readonly string[] {
  if (body.kind !== 'whole') return [];
  const { kind, name } = mediaTypeOf(fields);
  if (kind === 'form') return (textOf(body.bytes) ?? '').split('&').map((pair) => unescaped(pair.split('=', 1)[0]!));
  return name.startsWith('multipart/') ? possibleNames(body.bytes) : [];
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' ')).trim();
  } catch {
    return text;
  }
}

import type { AnswerPlan, ContentCoding, HeaderField } from '../request.ts';
import { listOf } from './head-fields.ts';

/** One coding of a body; of several, or another one than the gateway decodes, `unknown`. */
export function codingOf(fields: readonly HeaderField[]): ContentCoding | 'unknown' | undefined {
  const codings = listOf(fields, 'content-encoding').filter((one) => one !== 'identity');
  const [first, ...more] = codings;
  if (first === undefined) return undefined;
  if (more.length > 0) return 'unknown';
  if (first === 'x-gzip') return 'gzip';
  return first === 'gzip' || first === 'br' || first === 'zstd' ? first : 'unknown';
}

/** An answer that came in a coding, and is decoded, goes on in it where the client takes that. */
export function codedAgain(plan: AnswerPlan, ofTheRequest: readonly HeaderField[]): AnswerPlan {
  if ((plan.kind !== 'whole' && plan.kind !== 'pieces') || plan.coding === undefined) return plan;
  return takes(ofTheRequest, plan.coding) ? { ...plan, codedAgain: plan.coding } : plan;
}

/** Accept-Encoding (RFC 9110 section 12.5.3). Whoever says nothing may not be able to decode. */
function takes(fields: readonly HeaderField[], coding: ContentCoding): boolean {
  const weights = new Map<string, boolean>();
  for (const member of listOf(fields, 'accept-encoding')) {
    const [name = '', ...parameters] = member.split(';').map((part) => part.trim());
    const isRefused = parameters.some((parameter) => /^q\s*=\s*0(?:\.0*)?$/.test(parameter));
    weights.set(name === 'x-gzip' ? 'gzip' : name, !isRefused);
  }
  return weights.get(coding) ?? weights.get('*') ?? false;
}

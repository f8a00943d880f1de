import type { OpenSession } from '../../core/effect.ts';
import type { Act, Operation } from '../../core/operation.ts';
import { redactParameters, redactStatement, type BoundParameter, type MaskContext } from './mask.ts';
import type { Understanding } from './understanding.ts';

/** One statement text about to be prepared or run, and what was bound to it. */
export interface Asked {
  readonly text: string;
  /** Undefined where it could not be understood: the operation only goes on record as refused. */
  readonly understanding: Understanding | undefined;
  readonly parameters: readonly BoundParameter[];
  /** Bind's parameters and formats as they came, names left out; empty without Bind. */
  readonly binding: Uint8Array;
  /** It is only being prepared. */
  readonly naming: boolean;
  /** It runs by a name given earlier. */
  readonly prepared: boolean;
}

/** Makes the operation that policy decides on. */
export function postgresOperation(session: OpenSession, masks: MaskContext, asked: Asked): Operation {
  const { understanding, parameters, text } = asked;
  const facts = understanding?.maskFacts ?? unknownFacts;
  const redacted = redactStatement(masks, facts, text);
  const bound = parameters.length === 0 ? undefined : redactParameters(masks, facts, text, parameters);
  const acts = understanding?.acts ?? [];
  return {
    id: session.nextOperationId(),
    sessionId: session.id,
    protocol: 'postgres',
    acts: acts.length === 0 ? [connectAct(session)] : acts,
    facts: understanding?.facts ?? { protocol: 'postgres' },
    pureRead: understanding?.pureRead ?? false,
    naming: asked.naming,
    text: redacted.text.length > maxRecordedText ? `${redacted.text.slice(0, maxRecordedText)}…` : redacted.text,
    textIsExact: redacted.exact && redacted.text.length <= maxRecordedText && parameters.length === 0,
    ...(bound === undefined ? {} : { parameters: bound }),
    dataClasses: understanding?.classes ?? [],
    exact: () => joined(encoder.encode(text), asked.binding),
    unmasked: () => ({ text, parameters: parameters.map(forReview) }),
    ...(understanding === undefined ? {} : { cacheKey: understanding }),
  };
}

/** What has no act of its own (BEGIN, COMMIT, an empty statement) asks what every use of the target needs. */
function connectAct(session: OpenSession): Act {
  return { action: 'connect', object: { type: 'Target', id: session.target.name } };
}

/** A bound parameter as the reviewer sees it: text as sent, binary in hexadecimal. */
function forReview({ bytes, format }: BoundParameter): string | null {
  if (bytes === null) return null;
  return format === 0 ? lenient.decode(bytes) : `\\x${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** Both parts with their lengths in front, so that no two pairs are the same bytes. */
function joined(text: Uint8Array, binding: Uint8Array): Uint8Array {
  const all = new Uint8Array(8 + text.length + binding.length);
  const view = new DataView(all.buffer);
  view.setUint32(0, text.length);
  all.set(text, 4);
  view.setUint32(4 + text.length, binding.length);
  all.set(binding, 8 + text.length);
  return all;
}

const unknownFacts = { mentions: [], mentionsAll: true, relations: [], written: [], opaque: true };
const encoder = new TextEncoder();
const lenient = new TextDecoder();
const maxRecordedText = 32_768;

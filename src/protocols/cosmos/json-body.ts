import { GatewayFault } from '../../core/fault.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The JSON of a body that has one meaning: UTF-8 without a byte order mark, no key twice in an object (of which servers take the first or the last),
 * at most `deepest` levels. Throws `unclassified`.
 */
export function jsonOf(bytes: Uint8Array): Json {
  let text: string;
  let value: Json;
  try {
    text = decoder.decode(bytes);
    value = JSON.parse(text) as Json;
  } catch {
    throw refusal('it is no JSON in UTF-8');
  }
  const { keys, depth } = measured(text);
  if (depth > deepest) throw refusal(`it has more than ${deepest} levels`);
  if (keys !== keysOf(value)) throw refusal('an object in it has a key twice');
  return value;
}

export function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Of a text that JSON.parse has accepted: a colon outside of a string belongs to a key. */
function measured(text: string): { readonly keys: number; readonly depth: number } {
  let keys = 0;
  let depth = 0;
  let level = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') {
      at += 1;
      while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
    } else if (character === ':') keys += 1;
    else if (character === '{' || character === '[') depth = Math.max(depth, (level += 1));
    else if (character === '}' || character === ']') level -= 1;
  }
  return { keys, depth };
}

function keysOf(value: Json): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return (value as readonly Json[]).reduce<number>((total, one) => total + keysOf(one), 0);
  const members = Object.values(value as { readonly [key: string]: Json });
  return members.length + members.reduce<number>((total, one) => total + keysOf(one), 0);
}

function refusal(problem: string): GatewayFault {
  return new GatewayFault('unclassified', { publicMessage: `the body of the request is not accepted: ${problem}` });
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const deepest = 128;

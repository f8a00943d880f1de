/**
 * JSON as security needs it. `JSON.parse` keeps the last of two members with the same name, another parser may keep the first; a
 * signed document that reads differently here and at its issuer is refused instead (RFC 8259 section 4, RFC 7515 section 4).
 */
export type JsonObject = ReadonlyMap<string, unknown>;

export type JsonRefusal = 'malformed' | 'duplicate-member' | 'too-complex';

export interface JsonLimits {
  readonly depth: number;
  /** Object members, in all objects together. */
  readonly members: number;
}

/** The members of the one JSON object that `bytes` hold as UTF-8, or why there is none. */
export function parseJsonObject(bytes: Uint8Array, limits: JsonLimits): JsonObject | JsonRefusal {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    return 'malformed';
  }
  if (!isObject(value)) return 'malformed';
  return inspectMembers(text, limits) ?? new Map(Object.entries(value));
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Walks text that is known to be valid JSON: only brackets, commas, colons and strings carry structure. */
function inspectMembers(text: string, limits: JsonLimits): JsonRefusal | undefined {
  const open: (Set<string> | undefined)[] = [];
  let members = 0;
  let expectsName = false;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charAt(at);
    switch (unit) {
      case '{':
      case '[': {
        expectsName = unit === '{';
        open.push(expectsName ? new Set() : undefined);
        if (open.length > limits.depth) return 'too-complex';
        break;
      }
      case '}':
      case ']':
        open.pop();
        expectsName = false;
        break;
      case ',':
        expectsName = open.at(-1) !== undefined;
        break;
      case '"': {
        const end = endOfString(text, at);
        const names = open.at(-1);
        if (expectsName && names !== undefined) {
          const name = JSON.parse(text.slice(at, end + 1)) as string;
          if (names.has(name)) return 'duplicate-member';
          names.add(name);
          members += 1;
          if (members > limits.members) return 'too-complex';
          expectsName = false;
        }
        at = end;
        break;
      }
      default:
    }
  }
  return undefined;
}

/** Index of the quote that closes the string opened at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

import { endOfString, isSpace } from './json-text.ts';

/**
 * The JSON text with the value of every member whose key matches replaced by `value`, at any depth, repeated keys too; other characters as they
 * were. Undefined for a text that is no JSON. `enough`: of a longer one its beginning will do, of so many characters at least.
 */
export function replaceMembers(text: string, keys: RegExp, value: string, enough = Infinity): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const parts: string[] = [];
  let from = 0;
  let length = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at)) {
    if (length + at - from >= enough) return parts.join('') + text.slice(from, at);
    const end = endOfString(text, at);
    const colon = skipSpace(text, end);
    if (text.charCodeAt(colon) === COLON && keys.test(keyOf(text, at, end))) {
      const start = skipSpace(text, colon + 1);
      parts.push(text.slice(from, start), value);
      length += start - from + value.length;
      from = endOfValue(text, start);
      at = from;
    } else at = end;
  }
  return parts.join('') + text.slice(from);
}

function endOfValue(text: string, start: number): number {
  let depth = 0;
  let at = start;
  do {
    const character = text[at]!;
    if (character === '"') at = endOfString(text, at);
    else {
      if (character === '{' || character === '[') depth += 1;
      else if (character === '}' || character === ']') depth -= 1;
      at += 1;
      if (depth === 0 && !'}]'.includes(character)) while (at < text.length && !',}] \t\n\r'.includes(text[at]!)) at += 1;
    }
  } while (depth > 0);
  return at;
}

function keyOf(text: string, start: number, end: number): string {
  const inside = text.slice(start + 1, end - 1);
  return inside.includes('\\') ? (JSON.parse(`"${inside}"`) as string) : inside;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (isSpace(text.charCodeAt(at))) at += 1;
  return at;
}

const COLON = 0x3a;

import { behindColon, endOfValue, stringsOf } from './json-bytes.ts';
import { Outline } from './outline.ts';

/**
 * The JSON text with the value of every member whose key matches replaced by `value`, at any depth, repeated keys too; other characters as they
 * were. Undefined for a text that is no JSON. `enough`: of a longer one its beginning will do, of so many characters at least.
 */
export function replaceMembers(text: string, keys: RegExp, value: string, enough = Infinity): string | undefined {
  const strings = stringsOf(text);
  if (strings === undefined) return undefined;
  const bytes = outline.of(text);
  let replaced = '';
  let from = 0;
  for (let index = 0; index < strings.length; index += 2) {
    const [start, end] = [strings[index]!, strings[index + 1]!];
    // In a value that is left out already.
    if (start < from) continue;
    if (replaced.length + start - from >= enough) return replaced + text.slice(from, start);
    const valueStart = behindColon(bytes, end);
    if (valueStart < 0 || !keys.test(keyOf(text, start, end))) continue;
    replaced += text.slice(from, valueStart) + value;
    from = endOfValue(bytes, valueStart, Infinity);
  }
  return replaced + text.slice(from);
}

function keyOf(text: string, start: number, end: number): string {
  const inside = text.slice(start + 1, end - 1);
  return inside.includes('\\') ? (JSON.parse(`"${inside}"`) as string) : inside;
}

const outline = new Outline();

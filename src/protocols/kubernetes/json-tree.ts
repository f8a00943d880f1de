/** A value of a JSON text (RFC 8259) and where it stands, so that single values can be replaced and all other characters stay as they were. */
export type JsonNode =
  | { readonly kind: 'object'; readonly start: number; readonly end: number; readonly members: readonly JsonMember[] }
  | { readonly kind: 'array'; readonly start: number; readonly end: number; readonly items: readonly JsonNode[] }
  | { readonly kind: 'string'; readonly start: number; readonly end: number; readonly value: string }
  /** A number, true, false or null, as it is written. */
  | { readonly kind: 'literal'; readonly start: number; readonly end: number; readonly text: string };

export interface JsonMember {
  readonly name: string;
  /** Of the name, its quotes included. */
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly value: JsonNode;
}

/** Undefined for a text that is no JSON, or deeper than 200. */
export function parseTree(text: string): JsonNode | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  try {
    return new Reader(text).value(0);
  } catch (error) {
    if (error === TOO_DEEP) return undefined;
    throw error;
  }
}

export function memberOf(node: JsonNode | undefined, name: string): JsonNode | undefined {
  // The last one counts, as for every JSON reader that does not refuse a second.
  return node?.kind === 'object' ? node.members.findLast((member) => member.name === name)?.value : undefined;
}

export function textOfMember(node: JsonNode | undefined, name: string): string | undefined {
  const value = memberOf(node, name);
  return value?.kind === 'string' ? value.value : undefined;
}

/** Some object has two members of one name: readers differ in what it means (one merges them, another takes the last). */
export function hasTwins(node: JsonNode): boolean {
  if (node.kind === 'array') return node.items.some(hasTwins);
  if (node.kind !== 'object') return false;
  if (node.members.length > 1 && new Set(node.members.map(({ name }) => name)).size < node.members.length) return true;
  return node.members.some(({ value }) => hasTwins(value));
}

/** Over a text that JSON.parse has accepted. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): JsonNode {
    if (depth > DEEPEST) throw TOO_DEEP;
    this.#space();
    const start = this.#at;
    switch (this.#text[start]) {
      case '{':
        return this.#object(start, depth);
      case '[':
        return this.#array(start, depth);
      case '"': {
        const value = this.#string();
        return { kind: 'string', start, end: this.#at, value };
      }
      default:
        while (this.#at < this.#text.length && !',]} \t\n\r'.includes(this.#text[this.#at]!)) this.#at += 1;
        return { kind: 'literal', start, end: this.#at, text: this.#text.slice(start, this.#at) };
    }
  }

  #object(start: number, depth: number): JsonNode {
    const members: JsonMember[] = [];
    while (this.#next('}')) {
      const nameStart = this.#at;
      const name = this.#string();
      const nameEnd = this.#at;
      this.#space();
      this.#at += 1;
      members.push({ name, nameStart, nameEnd, value: this.value(depth + 1) });
    }
    return { kind: 'object', start, end: this.#at, members };
  }

  #array(start: number, depth: number): JsonNode {
    const items: JsonNode[] = [];
    while (this.#next(']')) items.push(this.value(depth + 1));
    return { kind: 'array', start, end: this.#at, items };
  }

  /** Behind the opening bracket or an element: false behind the closing one. */
  #next(close: string): boolean {
    if (this.#text[this.#at] === '{' || this.#text[this.#at] === '[') this.#at += 1;
    this.#space();
    if (this.#text[this.#at] === ',') {
      this.#at += 1;
      this.#space();
    }
    if (this.#text[this.#at] !== close) return true;
    this.#at += 1;
    return false;
  }

  #string(): string {
    const start = this.#at;
    let escaped = false;
    for (this.#at += 1; this.#text[this.#at] !== '"'; this.#at += 1) {
      if (this.#text[this.#at] !== '\\') continue;
      escaped = true;
      this.#at += 1;
    }
    this.#at += 1;
    return escaped ? (JSON.parse(this.#text.slice(start, this.#at)) as string) : this.#text.slice(start + 1, this.#at - 1);
  }

  #space(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'end')) this.#at += 1;
  }
}

const DEEPEST = 200;
const TOO_DEEP = new Error('too deep');

/** A path template of OpenAPI, segment by segment, decoded. */
export type Template = readonly TemplateSegment[];

/** `{id}.json` is a parameter between texts; texts of both sides empty: any segment but an empty one. */
export type TemplateSegment =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'parameter'; readonly before: string; readonly after: string };

/** How the requests that two templates fit lie to each other. `narrower`: those of the first are some of the second's. */
export type Overlap = 'disjoint' | 'same' | 'narrower' | 'wider' | 'crossing';

/** Undefined for what is none, or has two parameters in a segment. */
export function parseTemplate(path: string): Template | undefined {
  if (!path.startsWith('/') || /[?#\s]/.test(path)) return undefined;
  if (path === '/') return [];
  const segments = path.slice(1).split('/').map(parseSegment);
  return segments.every((segment) => segment !== undefined) ? segments : undefined;
}

function parseSegment(text: string): TemplateSegment | undefined {
  const match = /^([^{}]*)\{[^{}]+\}([^{}]*)$/.exec(text);
  if (match === null) return /[{}]/.test(text) ? undefined : withDecoded(text, (decoded) => ({ kind: 'text', text: decoded }));
  const [, before = '', after = ''] = match;
  return withDecoded(before, (start) => withDecoded(after, (end) => ({ kind: 'parameter', before: start, after: end })));
}

function withDecoded(text: string, make: (decoded: string) => TemplateSegment | undefined): TemplateSegment | undefined {
  try {
    return make(decodeURIComponent(text));
  } catch {
    return undefined;
  }
}

/** Of two of as many segments. */
export function overlapOf(first: Template, second: Template): Overlap {
  let overlap: Overlap = 'same';
  for (const [index, segment] of first.entries()) {
    const one = overlapOfSegments(segment, second[index]!);
    if (one === 'disjoint') return 'disjoint';
    if (overlap === 'same') overlap = one;
    else if (one !== 'same' && one !== overlap) overlap = 'crossing';
  }
  return overlap;
}

function overlapOfSegments(first: TemplateSegment, second: TemplateSegment): Overlap {
  if (first.kind === 'text') {
    if (second.kind === 'text') return first.text === second.text ? 'same' : 'disjoint';
    return fits(second, first.text) ? 'narrower' : 'disjoint';
  }
  if (second.kind === 'text') return fits(first, second.text) ? 'wider' : 'disjoint';
  if (first.before === second.before && first.after === second.after) return 'same';
  const startsAlike = first.before.startsWith(second.before) || second.before.startsWith(first.before);
  const endsAlike = first.after.endsWith(second.after) || second.after.endsWith(first.after);
  if (!startsAlike || !endsAlike) return 'disjoint';
  if (first.before.startsWith(second.before) && first.after.endsWith(second.after)) return 'narrower';
  return second.before.startsWith(first.before) && second.after.endsWith(first.after) ? 'wider' : 'crossing';
}

/** Whether a decoded segment is one of those that the template means. */
export function fits(segment: TemplateSegment, text: string): boolean {
  if (segment.kind === 'text') return segment.text === text;
  const { before, after } = segment;
  return text.length > before.length + after.length && text.startsWith(before) && text.endsWith(after);
}

/** Of two templates that fit the same path, the narrower one has more: most of a text, and more of a longer one around its parameter. */
export function specificityOf(template: Template): number {
  return template.reduce((sum, segment) => sum + (segment.kind === 'text' ? wholeText : segment.before.length + segment.after.length), 0);
}

/** More than both texts around a parameter can be. */
const wholeText = 100_000;

/**
 * Whether a rule's segments (folded) name this path: `*` is any one segment, `**` any rest, also none. What an upstream may take for the
 * same path counts as the same, because a value that is masked needlessly is the smaller harm: letters of either case, compatibility
 * forms of Unicode (NFKC), a slash at the end.
 */
export function reachesPath(rule: readonly string[], segments: readonly string[]): boolean {
  const path = segments.at(-1) === '' ? segments.slice(0, -1) : segments;
  const open = rule.at(-1) === '**';
  const fixed = open ? rule.length - 1 : rule.length;
  if (open ? path.length < fixed : path.length !== fixed) return false;
  for (let index = 0; index < fixed; index += 1) {
    if (rule[index] !== '*' && rule[index] !== foldSegment(path[index]!)) return false;
  }
  return true;
}

/** A segment as it is compared. */
export function foldSegment(segment: string): string {
  return segment.normalize('NFKC').toLowerCase().toUpperCase().toLowerCase();
}

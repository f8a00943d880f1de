/** A place in a JSON document: `$`, then `.key`, `["key"]`, `[3]`, `[*]` or `.*`. Arrays on the way to a key are looked into, as in lax jsonpath. */
export interface JsonPath {
  /** Undefined stands for any key or any element. */
  readonly steps: readonly (string | number | undefined)[];
}

/** Throws `RangeError` with the place in the path. */
export function compileJsonPath(source: string): JsonPath {
  const steps: (string | number | undefined)[] = [];
  if (!source.startsWith('$')) throw new RangeError(`path '${source}' does not begin with $`);
  for (let at = 1; at < source.length;) {
    const step = STEP.exec(source.slice(at));
    if (step === null)
      throw new RangeError(`path '${source}' cannot be read at character ${at + 1}: expected .key, ["key"], [3], [*] or .*`);
    const [whole, plain, quoted, index] = step;
    steps.push(plain ?? quoted?.replaceAll(/\\(.)/g, '$1') ?? (index === undefined ? undefined : Number(index)));
    at += whole.length;
  }
  return { steps };
}

/** A step that a statement takes into a document (`sql/lineage.ts`). */
export interface PathStep {
  readonly key: string | undefined;
  readonly anyKey: boolean;
  readonly element: boolean;
  readonly lax: boolean;
}

/** Whether what stands where `steps` lead can hold a place of `path`, or be in one. */
export function mayReach(path: JsonPath, steps: readonly PathStep[]): boolean {
  let at: ReadonlySet<number> = new Set([0]);
  for (const step of steps) {
    if (at.has(path.steps.length)) return true;
    at = taken(path, at, step);
  }
  return at.size > 0;
}

/** How far the path may have been followed behind one more step. */
function taken(path: JsonPath, from: ReadonlySet<number>, step: PathStep): ReadonlySet<number> {
  const before = new Set(from);
  if (step.lax) for (const place of before) for (const next of behindElement(path, place)) before.add(next);
  const after = new Set<number>(step.lax && step.element ? before : []);
  for (const place of before) {
    const wanted = path.steps[place];
    if (place === path.steps.length) after.add(place);
    else if ((step.anyKey && typeof wanted !== 'number') || (step.key !== undefined && (wanted === undefined || wanted === step.key)))
      after.add(place + 1);
    if (step.element) for (const next of behindElement(path, place)) after.add(next);
  }
  return after;
}

/** An element is what a number or `[*]` names, and is looked into on the way to a key. */
function behindElement(path: JsonPath, place: number): readonly number[] {
  if (place >= path.steps.length) return [place];
  const wanted = path.steps[place];
  if (typeof wanted === 'string') return [place];
  return [place + 1];
}

const STEP = /^(?:\.([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff-]*)|\[\s?["']((?:[^"'\\]|\\.){0,256})["']\s?\]|\[(\d{1,9})\]|\[\*\]|\.\*)/;

import type { Analysis } from '../statement.ts';
import { analyse, defaultMaxBytes } from './analyse.ts';
import { shapeOf } from './shape.ts';

interface AnalyserLimits {
  /** Analyses kept, least recently used dropped first. 4,096 where not given. */
  readonly maxShapes?: number;
  /** The longest text that is analysed at all, in bytes of UTF-8. 1 MiB where not given. */
  readonly maxBytes?: number;
}

export interface Analyser {
  /** As `analyse`. Texts of one shape get the very same object, so that callers may cache by it. */
  analyse(sql: string): Analysis;
}

/** An analyser that remembers: by shape where no literal matters, else by the exact text. Faults are not remembered. */
export function createAnalyser(limits: AnalyserLimits = {}): Analyser {
  const maxShapes = limits.maxShapes ?? defaultMaxShapes;
  const maxBytes = limits.maxBytes ?? defaultMaxBytes;
  const kept = new Map<string, Analysis>();

  function recall(key: string): Analysis | undefined {
    const found = kept.get(key);
    if (found === undefined) return undefined;
    kept.delete(key);
    kept.set(key, found);
    return found;
  }

  function keep(key: string, analysis: Analysis): void {
    if (key.length > maxKeyLength) return;
    kept.set(key, analysis);
    if (kept.size <= maxShapes) return;
    const oldest = kept.keys().next();
    if (oldest.done !== true) kept.delete(oldest.value);
  }

  return {
    analyse(sql) {
      const shape = sql.length > maxKeyLength ? undefined : shapeOf(sql);
      const shapeKey = shape === undefined ? undefined : `shape ${shape}`;
      const textKey = `text ${sql}`;
      const known = (shapeKey === undefined ? undefined : recall(shapeKey)) ?? recall(textKey);
      if (known !== undefined) return known;
      const analysis = analyse(sql, maxBytes);
      keep(shapeKey === undefined || analysis.literalSensitive ? textKey : shapeKey, analysis);
      return analysis;
    },
  };
}

const defaultMaxShapes = 4_096;

/** Characters; a longer text is analysed each time. With `maxShapes` it bounds the memory kept. */
const maxKeyLength = 16 * 1024;

import { RecentMap } from '../../core/recent-map.ts';
import type { Analysis } from '../statement.ts';
import { analyse, defaultMaxBytes } from './analyse.ts';
import { shapeOf } from './shape.ts';

interface AnalyserLimits {
  /** Analyses kept of those used most recently, by shape and by text: at least so many, at most twice as many. 4,096 where not given. */
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
  const byShape = new RecentMap<string, Analysis>(maxShapes);
  const byText = new RecentMap<string, Analysis>(maxShapes);

  return {
    analyse(sql) {
      const shape = sql.length > maxKeyLength ? undefined : shapeOf(sql);
      const known = (shape === undefined ? undefined : byShape.get(shape)) ?? byText.get(sql);
      if (known !== undefined) return known;
      const analysis = analyse(sql, maxBytes);
      if (shape !== undefined && !analysis.literalSensitive) byShape.set(shape, analysis);
      else if (sql.length <= maxKeyLength) byText.set(sql, analysis);
      return analysis;
    },
  };
}

const defaultMaxShapes = 4_096;

/** Characters; a longer text is analysed each time. With `maxShapes` it bounds the memory kept. */
const maxKeyLength = 16 * 1024;

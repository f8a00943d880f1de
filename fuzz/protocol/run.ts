import type { RunOptions, RunResult } from '../report.ts';
export async function fuzzProtocol(_options: RunOptions): Promise<RunResult> {
  return { cases: 0, counts: {}, findings: [] };
}

import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { median } from '../parts/statistics.ts';

/** Median time of a small append with its fdatasync, microseconds: what a durable record costs at least on this disk. */
export function fdatasyncUs(folder: string, bytes = 700, times = 200): number {
  const took: number[] = [];
  appendDurably(folder, bytes, (append) => {
    for (let count = 0; count < times; count += 1) {
      const begin = performance.now();
      append();
      took.push((performance.now() - begin) * 1_000);
    }
  });
  return median(took);
}

/** Runs `use` with a function that appends so many bytes to one file and flushes them. */
export function appendDurably(folder: string, bytes: number, use: (append: () => void) => void): void {
  const path = join(folder, 'fdatasync');
  const descriptor = openSync(path, 'w');
  const block = Buffer.alloc(bytes, 0x61);
  try {
    use(() => {
      writeSync(descriptor, block);
      fdatasyncSync(descriptor);
    });
  } finally {
    closeSync(descriptor);
    rmSync(path);
  }
}

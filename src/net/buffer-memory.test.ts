import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { it } from 'node:test';

it('three gigabytes of buffers that live shortly are freed with few collections of everything', () => {
  const [before, after] = [false, true].map(collections);
  // 28 to 38, and 1 to 6, also on a busy machine.
  assert.ok(before! > 2 * after!, `${after} collections of everything, ${before} without it`);
});

/** How often everything was collected, in a process of its own. */
function collections(isCounted: boolean): number {
  const program = `
    import { constants, PerformanceObserver } from 'node:perf_hooks';
    ${isCounted ? `(await import(${JSON.stringify(module)})).countBuffersWithHeap();` : ''}
    let major = 0;
    const count = (list) => { for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) major += 1; };
    const observer = new PerformanceObserver(count);
    observer.observe({ entryTypes: ['gc'] });
    for (let index = 0; index < 90_000; index += 1) {
      Buffer.allocUnsafeSlow(32_768)[0] = 1;
      if (index % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    count({ getEntries: () => observer.takeRecords() });
    console.log(major);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return Number(stdout);
}

const module = new URL('buffer-memory.ts', import.meta.url).href;

import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { progress } from '../../../bench/parts/report.ts';
import { start } from '../../harness.ts';
import type { Part, PartRow } from '../../part.ts';

/** The tests of this folder, each file in a process of its own: thousands of targets and messages, read by nginx, HAProxy, Node and WSGI as policy reads them. */
export const suitePart: Part = {
  name: 'suites',
  about:
    'every test of conformance/http: the path and smuggling corpora in front of nginx, HAProxy, Node and WSGI, masking, holds, credentials',
  async run({ only, onInterrupt }) {
    const files = globSync('*.test.ts', { cwd: folder }).sort();
    const rows: PartRow[] = [];
    for (const file of files) {
      if (only.length > 0 && !only.includes(file)) continue;
      progress(file);
      const running = start(process.execPath, ['--test', '--test-timeout=300000', '--test-reporter=tap', `${folder}${file}`], process.env);
      onInterrupt(async () => void running.process.kill('SIGTERM'));
      const { status, stdout } = await running.done;
      const passed = /^# pass (\d+)$/m.exec(stdout)?.[1] ?? '0';
      const failed = [...stdout.matchAll(/^\s*not ok \d+ - (.*)$/gm)].map(([, name = '']) => name);
      rows.push({
        name: basename(file, '.test.ts'),
        control: `${passed} tests`,
        verdict: status === 0 && Number(passed) > 0 ? 'same' : 'differs',
        reason: failed.length === 0 ? undefined : failed.join('; '),
      });
    }
    return { rows, notes: [] };
  },
};

const folder = fileURLToPath(new URL('..', import.meta.url));

import { statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Whether any user of this machine can reach what lies in the folder; false where there is no such folder. */
export function everyoneMayEnter(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if (((statSync(at, { throwIfNoEntry: false })?.mode ?? 0) & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

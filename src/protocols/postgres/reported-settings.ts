import { RecentMap } from '../../core/recent-map.ts';
import type { SessionEffect } from '../../sql/statement.ts';
import type { Running } from './expected.ts';

/**
 * Which values of settings are known to be the client's own. Code that the gateway cannot see may set any (`set_config` in a DO block or in a
 * trigger), and the server reports a value late: just before ReadyForQuery, or when a savepoint or the end of a transaction brings it back. From
 * the first operation on that may have run such code, a value counts as known only where this session named it itself or heard it before.
 */
export class ReportedSettings {
  readonly #atStartup: ReadonlySet<string>;
  #own: Set<string> | undefined;
  #codeRan = false;

  /** `atStartup`: as the server reported them then. */
  constructor(atStartup: ReadonlyMap<string, string>) {
    const keys = [...atStartup].map(([name, value]) => keyOf(name, value));
    const joined = keys.join('\0');
    let shared = startups.get(joined);
    if (shared === undefined) startups.set(joined, (shared = new Set(keys)));
    this.#atStartup = shared;
  }

  /** An operation ended, whatever came of it. */
  ended({ understanding }: Running): void {
    if (understanding.runsUnseen || understanding.maskFacts.written.length > 0 || understanding.maskFacts.beyond) this.#codeRan = true;
  }

  /** A statement completed. */
  apply(effects: readonly SessionEffect[]): void {
    for (const effect of effects)
      if (effect.kind === 'set' && effect.values !== undefined) this.#keep(keyOf(effect.setting, effect.values.join(', ')));
  }

  /** `isPlain`: what is running, if anything is, touches no hidden class and runs no such code. */
  isKnown(name: string, value: string, isPlain: boolean): boolean {
    const key = keyOf(name, value);
    if (this.#atStartup.has(key) || this.#own?.has(key) === true) return true;
    if (!isPlain || this.#codeRan) return false;
    this.#keep(key);
    return true;
  }

  #keep(key: string): void {
    this.#own ??= new Set();
    if (this.#own.size < mostValues) this.#own.add(key);
  }
}

/** The server may write a value in another case, and quotes around names. */
function keyOf(name: string, value: string): string {
  return `${name.toLowerCase()}=${value.toLowerCase().replaceAll('"', '')}`;
}

/** One server reports the same to nearly all of its sessions: one set for all of them. */
const startups = new RecentMap<string, ReadonlySet<string>>(64);
/** A client that sets a thousand values has them withheld at worst. */
const mostValues = 1_000;

import type { Config, PostgresTargetConfig } from '../../config/index.ts';

/** A port at which clients of PostgreSQL arrive: the one at which they name their target, or a target's own. */
export interface Door {
  readonly name: string;
  readonly address: { readonly host: string | undefined; readonly port: number };
  readonly target: PostgresTargetConfig | undefined;
}

/** Those of a configuration. A restart is needed to change them. */
export function doorsOf({ listeners, targets }: Config): readonly Door[] {
  const shared = listeners.postgres === undefined ? [] : [{ name: 'postgres', address: listeners.postgres, target: undefined }];
  const own = targets.flatMap((target) => {
    if (target.protocol !== 'postgres' || target.listen === undefined) return [];
    return [{ name: `target ${target.name}`, address: target.listen, target }];
  });
  return [...shared, ...own];
}

/** Ports that were bound, where the configuration leaves the choice to the system (0). */
export class Ports {
  readonly targets = new Map<string, number>();
  https: number | undefined;
  #postgres: number | undefined;

  get postgres(): number | undefined {
    return this.#postgres;
  }

  set(door: Door, port: number): void {
    if (door.target === undefined) this.#postgres = port;
    else this.targets.set(door.target.name, port);
  }
}

/** To each door. */
export const maxConnections = 10_000;

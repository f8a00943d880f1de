import type { Config, TargetConfig } from '../../config/index.ts';
import type { ListenAddress } from '../../config/types.ts';

/** A port at which clients arrive: one at which they name their target, or a target's own. */
export interface Door {
  readonly name: string;
  /** `https`: of all request protocols. */
  readonly kind: 'postgres' | 'ssh' | 'https';
  readonly address: ListenAddress;
  readonly target: TargetConfig | undefined;
}

/** Those of a configuration. A restart is needed to change them. */
export function doorsOf({ listeners, targets }: Config): readonly Door[] {
  const shared = (['postgres', 'ssh', 'https'] as const).flatMap((kind) => {
    const address = listeners[kind];
    return address === undefined ? [] : [{ name: kind, kind, address, target: undefined }];
  });
  const own = targets.flatMap((target): Door[] => {
    if (target.listen === undefined) return [];
    const kind = target.protocol === 'postgres' || target.protocol === 'ssh' ? target.protocol : 'https';
    return [{ name: `target ${target.name}`, kind, address: target.listen, target }];
  });
  return [...shared, ...own];
}

/** Ports that were bound, where the configuration leaves the choice to the system (0). */
export class Ports {
  readonly targets = new Map<string, number>();
  readonly #shared = new Map<Door['kind'], number>();

  get postgres(): number | undefined {
    return this.#shared.get('postgres');
  }

  get ssh(): number | undefined {
    return this.#shared.get('ssh');
  }

  get https(): number | undefined {
    return this.#shared.get('https');
  }

  set(door: Door, port: number): void {
    if (door.target === undefined) this.#shared.set(door.kind, port);
    else this.targets.set(door.target.name, port);
  }
}

/** To each door. */
export const maxConnections = 10_000;

import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider';

/** What the provider keeps (sessions, grants, codes), in memory: it dies with the process. */
export function memoryAdapter(): AdapterFactory {
  const entries = new Map<string, Entry>();

  function live(accept: (entry: Entry, key: string) => boolean): AdapterPayload | undefined {
    const now = Date.now();
    for (const [key, entry] of entries) {
      if (entry.expiresAtMs <= now) entries.delete(key);
      else if (accept(entry, key)) return entry.payload;
    }
    return undefined;
  }

  return (model): Adapter => ({
    async upsert(id, payload, expiresIn) {
      const expiresAtMs = expiresIn === undefined ? Number.POSITIVE_INFINITY : Date.now() + expiresIn * 1000;
      entries.set(`${model}:${id}`, { model, payload, expiresAtMs });
    },
    async find(id) {
      return live((_, key) => key === `${model}:${id}`);
    },
    async findByUserCode(userCode) {
      return live((entry) => entry.model === model && entry.payload.userCode === userCode);
    },
    async findByUid(uid) {
      return live((entry) => entry.model === model && entry.payload.uid === uid);
    },
    async consume(id) {
      const payload = live((_, key) => key === `${model}:${id}`);
      if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000);
    },
    async destroy(id) {
      entries.delete(`${model}:${id}`);
    },
    async revokeByGrantId(grantId) {
      for (const [key, entry] of entries) if (entry.model === model && entry.payload.grantId === grantId) entries.delete(key);
    },
  });
}

interface Entry {
  readonly model: string;
  readonly payload: AdapterPayload;
  readonly expiresAtMs: number;
}

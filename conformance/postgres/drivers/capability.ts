/** For the drivers of Node: what a capability gave, or how it failed, as one JSON line. */
export async function capability(name: string, work: () => Promise<unknown>): Promise<void> {
  try {
    lines.push(JSON.stringify({ capability: name, value: canonical(await work()) }));
  } catch (error) {
    const { code, stack } = error as { code?: string; stack?: string };
    lines.push(JSON.stringify({ capability: name, error: `${code ?? ''} ${stack ?? String(error)}` }));
  }
}

/** An SQL error as its SQLSTATE and message; anything else is thrown on. */
export async function attempt(work: () => PromiseLike<unknown>): Promise<unknown> {
  try {
    await work();
    return 'no error';
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === undefined || !/^[0-9A-Z]{5}$/.test(code)) throw error;
    return { sqlstate: code, message };
  }
}

export function report(): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Values as JSON cannot hold them: bytes in hex, big integers, dates. */
function canonical(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, canonical(member)]));
  }
  return value ?? null;
}

const lines: string[] = [];

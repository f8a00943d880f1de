import { request, type Agent } from 'node:http';

/** One request as the gateway's transport would send it: names and values as they are, framing by Node. */
export interface Sent {
  readonly method: string;
  readonly target: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  /** A character for each octet; undefined where there is none. */
  readonly body?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export function send(to: { path: string } | { port: number }, agent: Agent, { method, target, headers, body }: Sent): Promise<Answer> {
  const where = 'path' in to ? { socketPath: to.path } : { host: '127.0.0.1', port: to.port };
  // Left to itself, Node sends an empty chunked body where another method than these has none.
  const framing = body === undefined && bodiless.has(method) ? [] : ['content-length', String(body?.length ?? 0)];
  return new Promise((resolve, reject) => {
    const call = request({ ...where, agent, method, path: target, headers: [...headers, ...framing] }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    call.once('error', reject);
    call.end(body === undefined ? undefined : Buffer.from(body, 'latin1'));
  });
}

/** Runs `work` for each item, `width` at a time. */
export async function inParallel<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

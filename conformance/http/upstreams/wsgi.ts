import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a WSGI application sees (PEP 3333), as `wsgi.py` tells it. */
export interface WsgiSeen {
  readonly method: string;
  /** Decoded by the server. */
  readonly path: string;
  /** Names, in order. */
  readonly parameters: readonly string[];
  /** Header fields as variables: `HTTP_X_AUTH_USER`. */
  readonly variables: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Python's own WSGI server, which answers with what it saw. */
export interface WsgiServer {
  readonly port: number;
  close(): Promise<void>;
}

export function startWsgi(): Promise<WsgiServer> {
  const server = spawn('python3', [fileURLToPath(new URL('wsgi.py', import.meta.url))], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => {
    server.once('exit', () => resolve());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`the WSGI server ended with ${code}`)));
    server.stdout.once('data', (line: Buffer) => {
      resolve({
        port: Number(line.toString()),
        close() {
          server.kill();
          return ended;
        },
      });
    });
  });
}

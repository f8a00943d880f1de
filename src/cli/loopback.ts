import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Failure } from './failure.ts';

export interface Redirect {
  /** Where the issuer must send the browser back to. */
  readonly uri: string;
  /** The URL with which the browser came back. Rejects after five minutes. */
  readonly arrived: Promise<URL>;
  /** Shows a URL in the person's browser; says nothing where that does not work, as the URL was printed. */
  open(url: string): Promise<void>;
  close(): void;
}

/** A web server on a loopback port that waits for one redirect with this `state` and answers nothing else. */
export async function waitForRedirect(state: string): Promise<Redirect> {
  const { promise, resolve, reject } = Promise.withResolvers<URL>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', `http://127.0.0.1`);
    const expected = request.method === 'GET' && url.pathname === callbackPath && url.searchParams.get('state') === state;
    response.writeHead(expected ? 200 : 404, {
      'content-type': 'text/plain; charset=utf-8',
      'content-security-policy': "default-src 'none'",
      'cache-control': 'no-store',
      connection: 'close',
    });
    response.end(expected ? 'You can close this page and go back to the terminal.\n' : 'Nothing here.\n');
    if (expected) resolve(new URL(url.pathname + url.search, uri()));
  });
  const uri = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}${callbackPath}`;
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(0, '127.0.0.1', listening);
  });
  const timer = setTimeout(
    () => reject(new Failure('nobody signed in within 5 minutes', { hint: 'run it again, or with --device' })),
    waitMs,
  );
  promise.catch(() => undefined);
  return {
    uri: uri(),
    arrived: promise,
    open: openInBrowser,
    close() {
      clearTimeout(timer);
      server.close();
      server.closeAllConnections();
    },
  };
}

async function openInBrowser(url: string): Promise<void> {
  const [command, ...args]: [string, ...string[]] =
    process.platform === 'darwin'
      ? ['open', url]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', url]
        : ['xdg-open', url];
  await new Promise<void>((resolve) => {
    const child = spawn(command, args, { stdio: 'ignore', detached: true });
    child.once('error', () => resolve());
    child.once('spawn', () => resolve());
    child.unref();
  });
}

const callbackPath = '/callback';
const waitMs = 5 * 60_000;

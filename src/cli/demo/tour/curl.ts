import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';

export interface HttpCall {
  readonly method: 'GET' | 'DELETE';
  readonly url: string;
  readonly token: string;
  readonly authorityFile: string;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** The stock client, else Node's own. Throws where no answer comes. */
export async function call(options: HttpCall): Promise<HttpAnswer> {
  return hasCurl() ? await byCurl(options) : await byNode(options);
}

function hasCurl(): boolean {
  return spawnSync('curl', ['--version']).status === 0;
}

/** Nothing of the caller's settings reaches it, and no token stands in a list of processes. */
function byCurl({ method, url, token, authorityFile, signal }: HttpCall): Promise<HttpAnswer> {
  const parameters = ['-q', '-sS', '-X', method, '--cacert', authorityFile, '-H', '@-', '-w', '\n%{http_code}', '--max-time', '30', url];
  return new Promise((resolve, reject) => {
    const child = execFile('curl', parameters, { env: { PATH: process.env['PATH'] }, signal }, (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`curl: ${stderr.trim()}`, { cause: error }));
      else resolve({ status: Number(stdout.slice(stdout.lastIndexOf('\n'))), body: stdout.slice(0, stdout.lastIndexOf('\n')) });
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(`Authorization: Bearer ${token}\n`);
  });
}

function byNode({ method, url, token, authorityFile, signal }: HttpCall): Promise<HttpAnswer> {
  const options = { method, headers: { authorization: `Bearer ${token}` }, ca: readFileSync(authorityFile), timeout: 30_000, signal };
  return new Promise((resolve, reject) => {
    const asked = request(url, options, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => (body += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer within 30 s')));
    asked.on('error', reject);
    asked.end();
  });
}

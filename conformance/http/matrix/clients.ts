import { run } from '../../harness.ts';

/** One request that every client can make. */
export interface Ask {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly token: string;
  readonly ca: string;
  readonly body?: { readonly type: string; readonly text: string };
}

/** What a client says of the answer, in its own words brought into one form. */
export interface Said {
  readonly status: number;
  readonly body: string;
}

export interface HttpClient {
  readonly name: string;
  /** Methods that it cannot send are left out. */
  readonly methods: ReadonlySet<Ask['method']>;
  send(ask: Ask): Promise<Said>;
}

const all: ReadonlySet<Ask['method']> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE']);

function curl(version: '--http1.1' | '--http2'): HttpClient {
  return {
    name: `curl ${version}`,
    methods: all,
    async send({ method, url, token, ca, body }) {
      const sent = body === undefined ? [] : ['-H', `Content-Type: ${body.type}`, '--data-binary', '@-'];
      const how = method === 'HEAD' ? ['-I', '-o', '/dev/null'] : ['-X', method];
      const { stdout, stderr, status } = await run(
        'curl',
        ['-sS', version, '--cacert', ca, '-H', `Authorization: Bearer ${token}`, ...how, ...sent, '-L', '-w', '\n%{http_code}', url],
        process.env,
        body?.text,
      );
      if (status !== 0) throw new Error(stderr);
      const at = stdout.lastIndexOf('\n');
      return { status: Number(stdout.slice(at + 1)), body: method === 'HEAD' ? '' : stdout.slice(0, at) };
    },
  };
}

/** Node's own, which is undici. It trusts what `setDefaultCACertificates` was told. */
const fetchClient: HttpClient = {
  name: 'fetch (undici)',
  methods: all,
  async send({ method, url, token, body }) {
    const answer = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': body.type }) },
      ...(body === undefined ? {} : { body: body.text }),
    });
    return { status: answer.status, body: await answer.text() };
  },
};

function python(name: string, script: string): HttpClient {
  return {
    name,
    methods: all,
    async send({ method, url, token, ca, body }) {
      const asked = JSON.stringify({ method, url, token, ca, body: body ?? null });
      const { stdout, stderr, status } = await run('/usr/bin/python3', [new URL(script, import.meta.url).pathname], process.env, asked);
      if (status !== 0) throw new Error(stderr.trim().split('\n').at(-1));
      return JSON.parse(stdout) as Said;
    },
  };
}

const wget: HttpClient = {
  name: 'wget',
  methods: new Set(['GET', 'POST', 'PUT', 'DELETE']),
  async send({ method, url, token, ca, body }) {
    const sent = body === undefined ? [] : [`--header=Content-Type: ${body.type}`, `--body-data=${body.text}`];
    const { stdout, stderr } = await run(
      'wget',
      [
        '-q',
        '-S',
        '--content-on-error',
        '-O',
        '-',
        `--ca-certificate=${ca}`,
        `--header=Authorization: Bearer ${token}`,
        `--method=${method}`,
        ...sent,
        url,
      ],
      process.env,
    );
    const statuses = [...stderr.matchAll(/^\s*HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));
    if (statuses.length === 0) throw new Error(stderr);
    return { status: statuses.at(-1)!, body: stdout };
  },
};

export const clients: readonly HttpClient[] = [
  curl('--http1.1'),
  curl('--http2'),
  fetchClient,
  python('Python requests', 'requests_client.py'),
  python('Python http.client', 'http_client.py'),
  wget,
];

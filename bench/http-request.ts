import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { AuditLog } from '../src/audit/index.ts';
import { Pipeline } from '../src/core/pipeline.ts';
import type { Target } from '../src/core/target.ts';
import { compileDataClasses } from '../src/masking/classes.ts';
import type { DataClass, RecogniserName } from '../src/masking/types.ts';
import { nodeCrypto } from '../src/net/crypto.ts';
import { NotedApprovals } from '../src/net/http-approvals.ts';
import type { ClientExchange } from '../src/net/http-client.ts';
import { exchange } from '../src/net/http-exchange.ts';
import { createHttp } from '../src/net/http-server.ts';
import { HttpSessions } from '../src/net/http-sessions.ts';
import type { Upstream, UpstreamAnswer } from '../src/net/http-upstream-answer.ts';
import { Http1Connection } from '../src/net/http1-connection.ts';
import { SessionRegistry } from '../src/net/sessions.ts';
import { compilePolicies, createPolicyEngine } from '../src/policy/index.ts';
import { requestDialects, requestProtocols } from '../src/protocols/registry.ts';
import { createRecordings } from '../src/recordings/index.ts';
import { best, clock, nothingLogged, nothingRecorded, now, openLog, principal, since, type Taken } from './parts/in-process.ts';

/**
 * What one request with a small answer costs in the gateway apart from the kernel and TLS: Node's server, the checks, policy, audit (`process`), recording, masking by places and detectors, and
 * the client side of our own. Microseconds a request, eight to a turn of the event loop: CPU time of the process, of its main thread alone, and the clock on the wall, each the best of four
 * runs; the same without its records, and `node:http`, which is Node's server side with an answer that is there already. On a machine with other work only CPU time says anything.
 *
 *     node bench/http-request.ts [everything|recording|records|node:http]
 */

type Kind = 'everything' | 'no recording' | 'no records' | 'node:http';

const REQUESTS = 5_000;
const CONNECTIONS = 8;
const RUNS = 4;

const target: Target = { name: 'bench', protocol: 'http', labels: { env: 'production' }, masking: 'taint', hold: 'wait' };
const policy = `
@id("pipelines work on the API")
permit (principal in Group::"deployers", action in [Action::"connect", Action::"read", Action::"write"], resource in Label::"env=production");
@id("deletes wait for a DBA")
@review("dba") @approvals("1") @expires("15m")
forbid (principal, action == Action::"http:delete", resource in Label::"env=production");
`;

/** A connection without a kernel: what is written to it goes to `written`. */
class Wire extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 4_000;
  written: () => void = () => {};

  override _read(): void {}

  override _write(_bytes: Uint8Array, _encoding: string, done: () => void): void {
    done();
    this.written();
  }

  override _writev(_chunks: unknown, done: () => void): void {
    done();
    this.written();
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }
}

/** A target that answers each request at once, over connections that are kept. */
class InstantUpstream implements Upstream {
  readonly #idle: Http1Connection[] = [];

  async send(...[forwarded]: Parameters<Upstream['send']>): Promise<UpstreamAnswer> {
    const connection = this.#idle.pop() ?? this.#connect();
    return (await connection.send({ ...forwarded, host: 'api.internal', upgrades: false })) as UpstreamAnswer;
  }

  close(): void {}

  #connect(): Http1Connection {
    const wire = new Wire();
    wire.written = () => setImmediate(() => wire.push(Buffer.from(answer, 'latin1')));
    return new Http1Connection(
      wire as unknown as Socket,
      (connection) => this.#idle.push(connection),
      () => {},
    );
  }
}

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));

async function measure(kind: Kind, log: AuditLog): Promise<void> {
  const server = createHttp({
    tls: undefined,
    maxConnections: 100,
    handle: kind === 'node:http' ? answeredAtOnce : gateway(kind, log),
    end: () => Promise.resolve(),
    failed: (error) => console.error(error),
  });
  const wires = Array.from({ length: CONNECTIONS }, () => new Wire());
  for (const wire of wires) void server.accept(wire as unknown as Socket);
  const question = Buffer.from(request, 'latin1');
  const runs: Taken[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const begin = now();
    await new Promise<void>((resolve) => {
      let left = REQUESTS;
      let open = CONNECTIONS;
      for (const wire of wires) {
        wire.written = () => {
          left -= 1;
          if (left >= CONNECTIONS) setImmediate(() => wire.push(question));
          else if (--open === 0) resolve();
        };
        wire.push(question);
      }
    });
    await turn();
    await log.checkpoint();
    runs.push(since(begin));
  }
  const { cpu, main, wall } = best(runs, REQUESTS);
  console.log(`${kind.padEnd(14)} ${cpu} µs CPU (${main} in the main thread), ${wall} µs a request`);
}

async function answeredAtOnce(client: ClientExchange): Promise<void> {
  await client.answer(200, [{ name: 'content-type', value: 'application/json' }], body);
}

function gateway(records: Kind, log: AuditLog): (client: ClientExchange) => Promise<void> {
  const detect: DataClass['detect'] = (['us-ssn', 'card-number'] satisfies RecogniserName[]).map((name) => ({ kind: 'recogniser', name }));
  const dataClasses = (['ssn', 'card-number', 'phone'] as const).map((name, index): DataClass => {
    const found = detect.slice(index, index + 1);
    return {
      name,
      columns: [],
      paths: [],
      documents: [{ target: 'bench', segments: ['**'], path: `$.customers.${name}` }],
      detect: found,
      mask: 'partial-last4',
    };
  });
  const classes = compileDataClasses(dataClasses, nodeCrypto, new Uint8Array(32));
  const files = [{ name: 'bench.cedar', text: policy }];
  const engine = createPolicyEngine(compilePolicies({ files, crypto: nodeCrypto, targets: [target], dataClasses: classes.names }), {
    now: Date.now,
  });
  const approvals = new NotedApprovals({ request: () => undefined } as unknown as ConstructorParameters<typeof NotedApprovals>[0]);
  const audit = records === 'no records' ? nothingLogged(log) : log;
  const pipeline = new Pipeline({
    identity: { authenticate: async () => principal },
    policy: engine,
    approvals,
    audit,
    recordings: records === 'everything' ? createRecordings({ folder: join(folder, 'recordings'), clock }) : nothingRecorded,
    clock,
    findTarget: () => target,
    newSessionId: () => `ses_${Date.now().toString(36)}${Math.random().toString(16).slice(2)}`,
    maxSessionMs: () => 3_600_000,
  });
  const report = (what: string, fault: Error): void => console.error(what, fault);
  const sessions = new HttpSessions({ pipeline, sessions: new SessionRegistry(), report });
  const settings = {
    name: 'bench',
    masking: 'taint',
    readOnly: false,
    cookies: false,
    unmaskedMediaTypes: [],
    basePath: '',
    origin: 'http://api.internal',
    credentialNames: [],
  } as const;
  const served = {
    dialect: requestProtocols.http,
    upstream: new InstantUpstream(),
    reads: () => [],
    asksBy: () => settings,
    ask: (received: Parameters<typeof requestProtocols.http.ask>[0]) =>
      requestProtocols.http.ask(
        received,
        {
          target: settings,
          classes,
          revealed: engine.reveals(principal, target, classes.names),
          randomBytes: (length) => nodeCrypto.randomBytes(length),
        },
        [],
      ),
  };
  return (client) =>
    exchange(client, {
      dialects: requestDialects,
      target: (name) => (name === 'bench' ? served : undefined),
      sessions,
      policy: engine,
      audit,
      approvals,
      join: undefined,
      gatewayHost: () => 'gw.example',
      apiUrl: () => 'https://gw.example:8080',
      report,
    });
}

const body = Buffer.from('{"id":7,"name":"someone","state":"open"}');
/** As nginx sends it. */
const answer = `HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 30 Nov 2026 21:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: keep-alive\r\n\r\n${body.toString()}`;
/** As h2load asks it. */
const request = `GET /http/bench/small HTTP/1.1\r\nHost: 127.0.0.1:8443\r\nuser-agent: h2load nghttp2/1.52.0\r\nauthorization: Bearer ${'a'.repeat(700)}\r\n\r\n`;

try {
  const log = await openLog(folder);
  const only = process.argv[2];
  for (const kind of ['everything', 'no recording', 'no records', 'node:http'] as const)
    if (only === undefined || kind === only) await measure(kind, log);
  await log.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

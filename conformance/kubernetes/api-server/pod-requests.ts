import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { AuditEntry } from './audit.ts';
import type { Exchange } from './exchange.ts';
import { listAt, textAt, type KubeObject } from './json.ts';
import type { Container, Pods } from './pods.ts';
import {
  acceptWebSocket,
  chooseSpdyProtocol,
  chooseWebSocketProtocol,
  spdyStreams,
  webSocketStreams,
  type Asked,
  type Generation,
} from './stream-protocols.ts';
import {
  channelPorts,
  chooseChannels,
  forwardChannels,
  forwardPorts,
  portForwardProtocol,
  tunnelOf,
  tunnelProtocol,
  type Dial,
} from './port-forward.ts';
import { execFailure, runRemote, type RemoteStreams } from './remote.ts';
import { badRequest, internalError, StatusError } from './status.ts';

/** A request that wants to leave HTTP. */
export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly url: URL;
  readonly entry: AuditEntry;
}

/** Logs and proxy of pods, and the streams of exec, attach and port-forward. */
export class PodRequests {
  readonly #pods: Pods;
  readonly #generation: Generation;
  readonly #dial: Dial;

  constructor(pods: Pods, generation: Generation, dial: Dial) {
    this.#pods = pods;
    this.#generation = generation;
    this.#dial = dial;
  }

  async log(exchange: Exchange, pod: KubeObject): Promise<void> {
    const query = exchange.url.searchParams;
    const container = this.#container(pod, query.get('container') ?? '');
    const count = (name: string): number | undefined => {
      const text = query.get(name);
      if (text === null) return undefined;
      if (!/^\d+$/.test(text)) throw badRequest(`invalid ${name}: ${text}`);
      return Number(text);
    };
    const sinceSeconds = count('sinceSeconds');
    const sinceTime = query.get('sinceTime');
    exchange.head(200, 'text/plain');
    if ('flushHeaders' in exchange.response) exchange.response.flushHeaders();
    const aborter = new AbortController();
    exchange.response.on('close', () => aborter.abort());
    const options = {
      isFollowed: query.get('follow') === 'true',
      tailLines: count('tailLines'),
      limitBytes: count('limitBytes'),
      sinceMs: sinceSeconds === undefined ? (sinceTime === null ? undefined : Date.parse(sinceTime)) : Date.now() - sinceSeconds * 1_000,
      hasTimestamps: query.get('timestamps') === 'true',
    };
    for await (const chunk of container.log.read(options, aborter.signal)) await exchange.write(chunk);
    exchange.response.end();
  }

  /** `…/pods/<name>[:<port>]/proxy/<path>`: HTTP to the pod. */
  proxy(exchange: Exchange, port: number, path: string): Promise<void> {
    return new Promise((resolve) => {
      const search = exchange.url.search;
      const { host, port: real } = this.#dial(port);
      const outgoing = httpRequest({ host, port: real, method: exchange.request.method, path: `/${path}${search}` }, (answer) => {
        exchange.head(answer.statusCode ?? 502, answer.headers['content-type'] ?? 'application/octet-stream');
        answer.on('data', (chunk: Buffer) => void exchange.write(chunk));
        answer.on('end', () => {
          exchange.response.end();
          resolve();
        });
      });
      outgoing.on('error', (error) => {
        exchange.answer(
          503,
          new StatusError(503, 'ServiceUnavailable', `error trying to reach service: ${error.message}`).status,
          plainJson,
        );
        resolve();
      });
      exchange.request.pipe(outgoing);
    });
  }

  /** Throws a Status while the request can still be answered with one. */
  async upgrade(request: UpgradeRequest, pod: KubeObject, subresource: string): Promise<void> {
    if (subresource === 'portforward') return this.#portForward(request);
    const query = request.url.searchParams;
    const flag = (name: string): boolean => ['true', '1'].includes(query.get(name) ?? '');
    const asked: Asked = { stdin: flag('stdin'), stdout: flag('stdout'), stderr: flag('stderr'), tty: flag('tty') };
    if (!asked.stdin && !asked.stdout && !asked.stderr) throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
    const name = query.get('container') ?? '';
    const container = this.#container(pod, name);
    const argv = query.getAll('command');
    if (subresource === 'exec' && argv.length === 0) throw badRequest('you must specify at least 1 command for the container');
    if (!container.isRunning)
      throw badRequest(
        `container ${name === '' ? firstContainer(pod) : name} is not running in pod ${textAt(pod, 'metadata', 'name')}_${textAt(pod, 'metadata', 'namespace')}`,
      );
    const streams = await this.#streams(request, asked);
    if (streams === undefined) return;
    if (subresource === 'attach') return container.attach(streams);
    const process = this.#pods.exec(pod, name === '' ? firstContainer(pod) : name, argv, asked.tty);
    if (process === undefined) {
      const [program = ''] = argv;
      const why = `exec: "${program}": executable file not found in $PATH: unknown`;
      return streams.finish(
        execFailure(`error executing command in container: failed to exec in container: OCI runtime exec failed: ${why}`),
      );
    }
    await runRemote(streams, process);
  }

  async #streams(upgrade: UpgradeRequest, asked: Asked): Promise<RemoteStreams | undefined> {
    const { request, socket, head, entry } = upgrade;
    if (entry.upgrade === 'websocket') {
      if (this.#generation === 'spdy') throw badRequest('unable to upgrade: unexpected upgrade to websocket');
      const protocol = chooseWebSocketProtocol(offeredWebSocket(request), this.#generation);
      if (protocol === undefined) return refuseHandshake(socket, entry);
      entry.protocol = protocol;
      entry.status = 101;
      return webSocketStreams(await acceptWebSocket(request, socket, head, protocol), protocol, asked);
    }
    const protocol = chooseSpdyProtocol(offeredSpdy(request));
    if (protocol === undefined) return refuseSpdy(socket, entry, spdyAccepted);
    acceptSpdy(socket, head, entry, protocol);
    return spdyStreams(socket, protocol, asked);
  }

  async #portForward({ request, socket, head, url, entry }: UpgradeRequest): Promise<void> {
    const onPort = (port: number): void => void entry.ports.push(port);
    if (entry.upgrade === 'websocket') {
      if (this.#generation === 'spdy') throw badRequest('unable to upgrade: unexpected upgrade to websocket');
      const offered = offeredWebSocket(request);
      const accept = async (protocol: string): Promise<WebSocket> => {
        entry.protocol = protocol;
        entry.status = 101;
        return acceptWebSocket(request, socket, head, protocol);
      };
      if (this.#generation === 'current' && offered.includes(tunnelProtocol))
        return forwardPorts(tunnelOf(await accept(tunnelProtocol)), this.#dial, onPort);
      const ports = portsOf(url);
      const protocol = chooseChannels(offered);
      if (protocol === undefined) return refuseHandshake(socket, entry);
      // As Go writes: what waits is not joined, so that no two frames are in one TLS record, which is more than some clients can read.
      Object.defineProperty(socket, '_writev', { value: undefined });
      return forwardChannels(await accept(protocol), protocol, ports, this.#dial, onPort);
    }
    if (!offeredSpdy(request).includes(portForwardProtocol)) {
      refuseSpdy(socket, entry, [portForwardProtocol]);
      return;
    }
    acceptSpdy(socket, head, entry, portForwardProtocol);
    await forwardPorts(socket, this.#dial, onPort);
    socket.destroy();
  }

  #container(pod: KubeObject, name: string): Container {
    const all = listAt(pod, 'spec', 'containers').map((spec) => textAt(spec, 'name'));
    const podName = textAt(pod, 'metadata', 'name');
    if (name === '' && all.length > 1)
      throw badRequest(`a container name must be specified for pod ${podName}, choose one of: [${all.join(' ')}]`);
    const found = this.#pods.container(pod, name === '' ? (all[0] ?? '') : name);
    if (found !== undefined) return found;
    if (name === '') throw internalError('the pod has not started');
    throw badRequest(`container ${name} is not valid for pod ${podName}`);
  }
}

function portsOf(url: URL): readonly number[] {
  try {
    return channelPorts(url.searchParams);
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}

function firstContainer(pod: KubeObject): string {
  return textAt(listAt(pod, 'spec', 'containers')[0], 'name');
}

function offeredWebSocket(request: IncomingMessage): string[] {
  return words(request.headers['sec-websocket-protocol']);
}

/** Each in a field of its own, or several in one. */
function offeredSpdy(request: IncomingMessage): string[] {
  return words(request.headers['x-stream-protocol-version']);
}

function words(value: string | string[] | undefined): string[] {
  return [value ?? []]
    .flat()
    .flatMap((one) => one.split(','))
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

/** What golang.org/x/net/websocket answers where no sub-protocol suits it. */
function refuseHandshake(socket: Duplex, entry: AuditEntry): undefined {
  entry.status = 403;
  socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  return undefined;
}

function refuseSpdy(socket: Duplex, entry: AuditEntry, accepted: readonly string[]): undefined {
  entry.status = 403;
  const fields = accepted.map((name) => `X-Accepted-Stream-Protocol-Versions: ${name}\r\n`).join('');
  socket.end(`HTTP/1.1 403 Forbidden\r\n${fields}Content-Length: 0\r\nConnection: close\r\n\r\n`);
  return undefined;
}

function acceptSpdy(socket: Duplex, head: Buffer, entry: AuditEntry, protocol: string): void {
  entry.protocol = protocol;
  entry.status = 101;
  if (head.length > 0) socket.unshift(head);
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
}

const spdyAccepted = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];
const plainJson = { encoding: 'json', as: undefined, version: '' } as const;

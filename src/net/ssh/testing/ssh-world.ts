import { connect, createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { after } from 'node:test';
import ssh2, { type Client, type ClientChannel, type ConnectConfig, type ServerChannel } from 'ssh2';
import { fingerprintOf } from '../../../config/index.ts';
import { newSshKeyPair } from '../../../identity/ssh-key-format.ts';
import type { GatewayFault } from '../../../core/fault.ts';
import { Pipeline } from '../../../core/pipeline.ts';
import { TestPorts } from '../../../core/testing/ports.ts';
import { forwardOperation, isTaken, type ForwardRule } from '../../../protocols/ssh/forward.ts';
import { testContext } from '../../../protocols/ssh/testing.ts';
import { nodeCrypto } from '../../crypto.ts';
import { listen, type Listener } from '../../listener.ts';
import { SessionRegistry } from '../../sessions.ts';
import { SshConnections } from '../listener.ts';
import type { SshKeys } from '../sign-in.ts';
import type { SshAddress } from '../upstream.ts';
import { Relay } from './relay.ts';

const closers: (() => Promise<unknown>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

/** What a program at the target does. */
export type RunProgram = (channel: ServerChannel, command: string) => void;

/** Answers a request to listen; with the port that was chosen where it was 0. */
export type AnswerListen = (accept: (port?: number) => void, reject: () => void, port: number) => void;

/** A gateway whose ports are in memory, a target of ssh2's own server, and clients of ssh2's own client. */
export class SshWorld {
  readonly ports = new TestPorts();
  readonly sessions = new SessionRegistry();
  readonly relays: Relay[] = [];
  readonly reported: GatewayFault[] = [];
  readonly targetKey = newSshKeyPair('target');
  readonly gatewayKey = newSshKeyPair('gateway');
  /** Signals, sizes and users that came to the target. */
  readonly seen: string[] = [];
  /** Of type "session": since the beginning, and now. */
  readonly targetChannels = { opened: 0, open: 0 };
  run: RunProgram = (channel) => {
    channel.exit(0);
    channel.end();
  };
  keys: SshKeys = { offered: async () => false, credentialFor: async () => undefined };
  addressOf: () => SshAddress;
  /** Connections to the target, signed on. */
  readonly targets: ssh2.Connection[] = [];
  /** And what they go over. */
  readonly targetSockets: Socket[] = [];
  /** How the target answers who wants it to listen. */
  listens: AnswerListen = (accept, _reject, port) => accept(port === 0 ? chosenPort : port);
  forwardRules: readonly ForwardRule[] = [];
  /** Of forwards. */
  through: string | undefined;
  isNamed = false;
  refusal: GatewayFault | undefined;
  moderators: string | undefined;
  signInTimeoutMs = 60_000;
  rekeyBytes = 1024 ** 3;
  targetAlgorithms: ssh2.Algorithms = {};
  listener!: Listener;
  readonly #target: NetServer;

  static async open(adjust: (world: SshWorld) => void = () => {}): Promise<SshWorld> {
    const world = new SshWorld();
    adjust(world);
    await world.#start();
    return world;
  }

  constructor() {
    this.ports.target = { name: 'web', protocol: 'ssh', labels: {}, masking: 'taint', hold: 'wait' };
    this.ports.now = Date.now();
    this.ports.identityEndsAtMs = this.ports.now + 60_000;
    let server: ssh2.Server | undefined;
    this.#target = createServer({ noDelay: true }, (socket) => {
      server ??= new ssh2.Server({ hostKeys: [this.targetKey.privateKey], algorithms: this.targetAlgorithms }, (client) =>
        this.#serve(client),
      );
      this.targetSockets.push(socket);
      server.injectSocket(socket);
    });
    this.addressOf = () => ({
      host: '127.0.0.1',
      port: (this.#target.address() as AddressInfo).port,
      user: 'deploy',
      hostKeys: [{ fingerprint: fingerprintOf(this.targetKey.blob), type: undefined }],
      credential: { kind: 'password', password: 'target-password' },
    });
  }

  /** A client's connection, signed in. */
  async client(config: Partial<ConnectConfig> = {}): Promise<Client> {
    const client = new ssh2.Client();
    const options = { sock: this.socket(), username: 'web', password: 'good', ...config };
    await new Promise<void>((resolve, reject) => {
      client
        .once('ready', resolve)
        .once('error', reject)
        .once('close', () => reject(new Error('closed')));
      client.connect(options);
    });
    client.on('error', () => {});
    return client;
  }

  /** Runs one command, with the input given, to its end. */
  async exec(command = 'run', input = '', config: Partial<ConnectConfig> = {}): Promise<Ran> {
    const client = await this.client(config);
    try {
      const { channel, over } = await exec(client, command);
      channel.end(input);
      return await over;
    } finally {
      client.end();
    }
  }

  socket(): Socket {
    return connect({ host: '127.0.0.1', port: this.listener.port, noDelay: true });
  }

  async #start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#target.listen(0, '127.0.0.1', resolve);
    });
    const { identity, policy, approvals, audit, recordings, clock, newSessionId, maxSessionMs, findTarget } = this.ports;
    const context = testContext(nodeCrypto);
    const pipeline = new Pipeline({ identity, policy, approvals, audit, recordings, clock, newSessionId, maxSessionMs, findTarget });
    const connections = new SshConnections({
      hostKey: this.gatewayKey.privateKey,
      banner: 'gw-test',
      listenerTarget: undefined,
      pipeline,
      audit,
      keys: { offered: (...key) => this.keys.offered(...key), credentialFor: (...key) => this.keys.credentialFor(...key) },
      sessions: this.sessions,
      signInActs: () => [],
      rulesOf: (session) => ({
        newChannel: () => {
          const relay = new Relay(session);
          this.relays.push(relay);
          this.onRelay(relay);
          return relay;
        },
        newForward: (request) => {
          const asked = forwardOperation({ ...context, session }, request, this.forwardRules);
          if (request.kind !== 'connect') return asked;
          return { ...asked, refusal: this.refusal, through: this.through, isNamed: this.isNamed };
        },
        isTaken: (port) => isTaken(port, this.forwardRules),
        address: () => this.addressOf(),
        moderators: this.moderators,
      }),
      join: () => {
        const [client, server] = duplexPair();
        server.pipe(server);
        return client;
      },
      signInTimeoutMs: this.signInTimeoutMs,
      rekeyBytes: this.rekeyBytes,
      report: (_what, fault) => this.reported.push(fault),
    });
    this.listener = await listen({ host: '127.0.0.1', port: 0, maxConnections: 1_000, connections });
    closers.push(async () => {
      await this.listener.close('the test is over');
      this.#target.close();
    });
  }

  onRelay: (relay: Relay) => void = () => {};

  #serve(client: ssh2.Connection): void {
    client.on('error', () => {});
    client.on('authentication', (attempt) => {
      if (attempt.method !== 'password' || attempt.password !== 'target-password') attempt.reject(['password']);
      else {
        this.seen.push(`user ${attempt.username}`);
        this.targets.push(client);
        attempt.accept();
      }
    });
    client.on('request', (accept, reject, name, info) => {
      const place = 'socketPath' in info ? String(info.socketPath) : `${info.bindAddr}:${info.bindPort}`;
      this.seen.push(`${name} ${place}`);
      if (name.startsWith('cancel-')) accept?.();
      else if (accept !== undefined && reject !== undefined) this.listens(accept, reject, 'socketPath' in info ? 1 : info.bindPort);
    });
    client.on('tcpip', (accept, reject, { destIP, destPort }) => {
      this.seen.push(`connect ${destIP}:${destPort}`);
      if (destPort === 1) reject();
      else {
        const channel = accept();
        channel.pipe(channel);
      }
    });
    client.on('session', (accept) => {
      const session = accept();
      this.targetChannels.opened += 1;
      this.targetChannels.open += 1;
      session.on('close', () => (this.targetChannels.open -= 1));
      session.on('env', (_accept, _reject, { key, val }) => this.seen.push(`env ${key}=${val}`));
      session.on('pty', (accept, _reject, { term, cols, rows }) => {
        this.seen.push(`pty ${term} ${cols}x${rows}`);
        accept();
      });
      session.on('window-change', (_accept, _reject, { cols, rows }) => this.seen.push(`size ${cols}x${rows}`));
      session.on('signal', (_accept, _reject, { name }) => this.seen.push(`signal ${name}`));
      session.on('exec', (accept, _reject, { command }) => this.run(accept(), command));
      session.on('shell', (accept) => this.run(accept(), 'shell'));
    });
  }
}

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
  readonly signal: string | undefined;
}

export interface Running {
  readonly channel: ClientChannel;
  readonly over: Promise<Ran>;
}

/** What it says is listened to from the first byte on. */
export function exec(client: Client, command: string, options: ssh2.ExecOptions = {}): Promise<Running> {
  return new Promise((resolve, reject) => {
    client.exec(command, options, (error, channel) => (error === undefined ? resolve({ channel, over: ran(channel) }) : reject(error)));
  });
}

async function ran(channel: ClientChannel): Promise<Ran> {
  let [stdout, stderr] = ['', ''];
  let code: number | null = null;
  let signal: string | undefined;
  channel.on('data', (part: Buffer) => (stdout += part.toString()));
  channel.stderr.on('data', (part: Buffer) => (stderr += part.toString()));
  channel.on('exit', (status: number | null, name?: string) => {
    code = status;
    signal = name;
  });
  await new Promise((resolve) => channel.once('close', resolve));
  return { stdout, stderr, code, signal };
}

export async function until(what: () => boolean): Promise<void> {
  for (let turn = 0; !what(); turn += 1) {
    if (turn > 2_000) throw new Error(`it did not come to this: ${what.toString()}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

export const chosenPort = 43_210;

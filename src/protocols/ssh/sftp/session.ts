import type { Outcome } from '../../../core/effect.ts';
import { GatewayFault, toFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import type { Completion, Operation } from '../../../core/operation.ts';
import { streamMasker, type StreamMasker } from '../../../masking/stream.ts';
import { channelLine, channelRefusal, lostWhileRunning, outcomeOfFault } from '../channel-fault.ts';
import type { ChannelEffect, ChannelEvent, ChannelRequest, ChannelSession, ChannelStream, Ending } from '../channel.ts';
import type { RunningParts } from '../running.ts';
import { decodeHello, decodeRequest, textOf } from './decode.ts';
import { namePacket, packet, statusPacket } from './encode.ts';
import { askLimits, askNames } from './extensions.ts';
import { refusalPacket } from './fault.ts';
import { PacketReader } from './frame.ts';
import type { Ended, SftpHost } from './host.ts';
import { maskNames } from './mask.ts';
import { EXTENSIONS, STATUS, TYPE, type Extension, type Request } from './messages.ts';
import { OpenFiles } from './open-files.ts';
import { canonicalPath, FileObjects } from './path.ts';
import { PathRequests } from './path-requests.ts';
import { planOf, planOfExtension } from './plan.ts';
import { brokenProtocol, Upstream } from './upstream.ts';

/** The subsystem `sftp` of a channel, from the target's "yes" to its end. */
export function sftpSession(parts: RunningParts): ChannelSession {
  return new SftpSession(parts);
}

/**
 * SFTP version 3: each request is decided before it goes to the target, by the file that it is about; contents are masked, and on record with their digest.
 *
 * Traps: (1) answers carry ids, so that a refusal can come when it is known. (2) What is decided on is what goes: paths that the server has resolved, handles of the gateway's own
 * that die with their file. (3) What waits for people waits alone, with those that change the same path behind it; there are bounds for how much may wait. (4) There is no handover.
 * (5) and (6) have no meaning here.
 */
class SftpSession implements ChannelSession, SftpHost {
  readonly context: RunningParts['context'];
  readonly reason: string | undefined;
  readonly grant: Grant;
  readonly upstream: Upstream;
  readonly objects: FileObjects;
  readonly #operationId: string;
  readonly #client = new PacketReader();
  readonly #target = new PacketReader();
  readonly #files: OpenFiles;
  readonly #asked = new Map<string, { readonly text: string; readonly answer: (outcome: Outcome) => void }>();
  /** Of the client, that came before the target had said how it does. */
  #early: Uint8Array[] | undefined = [];
  #earlyBytes = 0;
  #phase: 'init' | 'version' | 'home' | 'open' = 'init';
  #paths: PathRequests | undefined;
  /** Where relative paths begin. */
  #home = '/';
  /** Extensions that the target knows, and the gateway too. */
  #offered: ReadonlySet<string> = new Set();
  /** What the program complains of, which it hardly ever does. */
  readonly #errors: StreamMasker;
  /** Operations that were granted and have not ended. */
  readonly #running = new Set<string>();
  #effects: ChannelEffect[] = [];
  #unanswered = 0;
  #isPaused = false;
  #isClientDone = false;
  #isEndForwarded = false;
  #notices = 0;
  #irregularities = 0;
  #bytes = 0;
  #ending: Ending | undefined;
  #isOver = false;

  constructor({ context, grant, operationId, reason }: RunningParts) {
    this.context = context;
    this.reason = reason;
    this.grant = grant;
    this.#operationId = operationId;
    this.upstream = new Upstream((effect) => this.#put(effect));
    this.objects = new FileObjects(context.session.target.name);
    this.#files = new OpenFiles(this);
    this.#errors = streamMasker(context.classes, context.detectors);
  }

  /** One program a channel (RFC 4254 section 6.5), and this one has no terminal and takes no signals. */
  request(_request: ChannelRequest): readonly ChannelEffect[] {
    return this.#isOver ? [] : [{ kind: 'reject' }];
  }

  receive(from: ChannelStream, bytes: Uint8Array): readonly ChannelEffect[] {
    return this.#run(() => {
      if (from === 'stdin') this.#fromClient(bytes);
      else if (from === 'stdout') this.#fromTarget(bytes);
      else this.#showErrors(this.#errors.push(bytes));
    });
  }

  decide(operationId: string, outcome: Outcome): readonly ChannelEffect[] {
    return this.#run(() => {
      const asked = this.#asked.get(operationId);
      this.#asked.delete(operationId);
      if (asked !== undefined && outcome.kind === 'granted') this.#running.add(operationId);
      asked?.answer(outcome);
    });
  }

  notify(event: ChannelEvent): readonly ChannelEffect[] {
    return this.#run(() => {
      switch (event.kind) {
        case 'held':
          this.#say(`${this.#asked.get(event.operationId)?.text ?? 'it'}: ${event.message}`);
          return;
        case 'ended':
          if (event.from === 'client') this.#isClientDone = true;
          else {
            this.#showErrors(this.#errors.end());
            this.#put({ kind: 'reply-end' });
          }
          return;
        case 'exited':
          this.#ending = event.ending;
          this.#put({ kind: 'exit', ending: event.ending });
          return;
        case 'closed':
          if (event.from === 'client') this.#over(undefined, 'cancelled');
          else if (event.fault === undefined || this.#ending !== undefined) this.#over(undefined);
          else this.#fail(lostWhileRunning(event.fault));
          return;
        case 'end':
          this.#fail(event.fault);
          return;
        case 'started':
        case 'not-started':
        case 'deadline':
        case 'watched':
          return;
        default:
          event satisfies never;
      }
    });
  }

  // ---- what the parts of it need (SftpHost)

  ask(operation: Operation, refusal: GatewayFault | undefined, answer: (outcome: Outcome) => void): void {
    this.#asked.set(operation.id, { text: operation.text, answer });
    this.#put({ kind: 'ask', operation, refusal });
  }

  reply(grant: Grant | undefined, bytes: Uint8Array, data?: Uint8Array): void {
    this.#unanswered -= 1;
    this.#tell(grant, bytes);
    if (data !== undefined && data.length > 0) this.#tell(grant, data);
  }

  refuse(id: number, fault: GatewayFault, operationId: string | undefined): void {
    this.#unanswered -= 1;
    this.#tell(undefined, refusalPacket(id, fault, operationId));
    // OpenSSH shows the reason of a refusal nowhere.
    this.#say(
      channelRefusal(fault, operationId, false)
        .text.trimEnd()
        .replace(/^sallyport: /, ''),
    );
  }

  complete(operationId: string, ended: Ended): void {
    this.#running.delete(operationId);
    this.#put({ kind: 'complete', completion: { rows: 0, bytes: 0, masked: {}, ...ended, operationId } });
  }

  // ---- from the client

  #fromClient(bytes: Uint8Array): void {
    if (this.#phase !== 'init' && this.#early !== undefined) {
      this.#earlyBytes += bytes.length;
      if (this.#earlyBytes > maxEarlyBytes)
        throw new GatewayFault('protocol-violation', { publicMessage: 'too much was sent before VERSION was answered' });
      this.#early.push(bytes.slice());
      return;
    }
    this.#client.push(bytes);
    for (let read = this.#client.next(); read !== undefined; read = this.#client.next()) {
      if (this.#phase === 'init') {
        this.#greet(read);
        this.#early?.push(this.#client.takeRest());
        return;
      }
      this.#unanswered += 1;
      this.#request(decodeRequest(read));
    }
  }

  #greet(read: Uint8Array): void {
    const { version } = decodeHello(read, TYPE.init);
    if (version < sftpVersion)
      throw new GatewayFault('unsupported', { publicMessage: `version ${version} of SFTP, where ${sftpVersion} is spoken` });
    this.#phase = 'version';
    this.#put({ kind: 'forward', bytes: packet(TYPE.init, undefined, sftpVersion), grant: this.grant });
  }

  #request(request: Request): void {
    switch (request.kind) {
      case 'unknown':
        this.#irregular(request.what);
        this.refuse(request.id, new GatewayFault('unsupported', { publicMessage: `${request.what} is not known here` }), undefined);
        return;
      case 'malformed':
        this.#irregular(request.what);
        this.refuse(request.id, new GatewayFault('protocol-violation', { publicMessage: request.what }), undefined);
        return;
      case 'extended':
        this.#extension(request.id, request.extension);
        return;
      case 'close':
      case 'read':
      case 'write':
      case 'fstat':
      case 'fsetstat':
      case 'readdir':
        this.#files.request(request);
        return;
      default:
        // Where clients begin: what they may do there is asked when they do it.
        if (request.kind === 'realpath' && isStart.has(request.path)) this.#tellHome(request.id);
        else if ('path' in request && request.path === '')
          this.reply(undefined, statusPacket(request.id, STATUS.noSuchFile, 'No such file'));
        else this.#paths!.add(planOf(request, this.objects, this.#home));
    }
  }

  #tellHome(id: number): void {
    const { classes, detectors } = this.context;
    const name = encoder.encode(this.#home);
    this.reply(this.grant, namePacket(id, maskNames(classes, detectors, [{ name, longName: name, attributes: noAttributes }]).names));
  }

  #extension(id: number, extension: Extension): void {
    if (!this.#offered.has(extension.name)) {
      this.refuse(id, new GatewayFault('unsupported', { publicMessage: `the target does not offer ${extension.name}` }), undefined);
      return;
    }
    switch (extension.name) {
      case 'limits@openssh.com':
        askLimits(this, id);
        return;
      case 'users-groups-by-id@openssh.com':
        askNames(this, id, extension);
        return;
      case 'fstatvfs@openssh.com':
      case 'fsync@openssh.com':
        this.#files.extension(id, extension);
        return;
      case 'copy-data':
        this.#files.copy(id, extension);
        return;
      default:
        this.#paths!.add(planOfExtension(id, extension, this.objects));
    }
  }

  #irregular(what: string): void {
    this.#irregularities += 1;
    if (this.#irregularities > maxIrregularities)
      throw new GatewayFault('limit-exceeded', { publicMessage: 'too many requests that are not SFTP as it is spoken here' });
    this.#put({ kind: 'note', event: 'sftp-request-refused', detail: { what: what.slice(0, 200) } });
  }

  // ---- from the target

  #fromTarget(bytes: Uint8Array): void {
    this.#target.push(bytes);
    try {
      for (let read = this.#target.next(); read !== undefined; read = this.#target.next()) {
        if (this.#phase === 'version') this.#agree(read);
        else if (this.#phase === 'init') throw brokenProtocol('it speaks before it was asked');
        else this.upstream.receive(read);
      }
    } catch (error) {
      const fault = toFault(error);
      throw fault.code === 'protocol-violation' ? brokenProtocol(fault.publicMessage) : fault;
    }
  }

  /** The client hears of it when it is known where relative paths begin. */
  #agree(read: Uint8Array): void {
    const { version, extensions } = decodeHello(read, TYPE.version);
    if (version !== sftpVersion) throw brokenProtocol(`it answers with version ${version}`);
    const offered = extensions.filter(([name, data]) => EXTENSIONS.get(name) === data);
    this.#offered = new Set(offered.map(([name]) => name));
    this.#phase = 'home';
    this.upstream.ask(
      this.grant,
      (answer) => {
        const path = answer.kind === 'name' ? textOf(answer.names[0]?.name ?? new Uint8Array(0)) : undefined;
        if (path?.startsWith('/') === true) this.#home = canonicalPath(path, '/');
        this.#paths = new PathRequests(this, this.#files, this.#home);
        this.#phase = 'open';
        this.#tell(this.grant, packet(TYPE.version, undefined, sftpVersion, ...offered.flat()));
        const early = this.#early ?? [];
        this.#early = undefined;
        for (const bytes of early) this.#fromClient(bytes);
      },
      TYPE.realpath,
      '.',
    );
  }

  // ---- how it ends

  /** The client is told on stderr. */
  #fail(fault: GatewayFault): void {
    if (this.#isOver) return;
    if (this.#ending === undefined) {
      const { text, status } = channelRefusal(fault, this.#operationId, false);
      this.#put({ kind: 'reply', stream: 'stderr', bytes: encoder.encode(text), grant: undefined });
      this.#ending = { kind: 'status', status };
      this.#put({ kind: 'exit', ending: this.#ending });
    }
    this.#over(fault);
  }

  /** `untold`: what it is where the target has not told how it ended. */
  #over(fault: GatewayFault | undefined, untold: 'cancelled' | 'unknown' = 'unknown'): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const ended = this.#outcome(fault, untold);
    this.#files.end(ended.outcome === 'unknown' ? 'unknown' : 'cancelled');
    for (const operationId of this.#running) this.complete(operationId, { outcome: 'unknown' });
    this.complete(this.#operationId, { ...ended, reason: fault?.publicMessage, bytes: this.#bytes });
    this.#put({ kind: 'close', fault });
  }

  #outcome(fault: GatewayFault | undefined, untold: 'cancelled' | 'unknown'): Pick<Completion, 'outcome' | 'errorCode'> {
    if (fault !== undefined) return outcomeOfFault(fault);
    const ending = this.#ending;
    if (ending === undefined) return { outcome: untold };
    if (ending.kind === 'signal') return { outcome: 'failed', errorCode: ending.name };
    return ending.status === 0 ? { outcome: 'succeeded' } : { outcome: 'failed', errorCode: `exit ${ending.status}` };
  }

  // ---- effects

  #run(act: () => void): readonly ChannelEffect[] {
    if (this.#isOver) return [];
    try {
      act();
      this.#flow();
    } catch (error) {
      this.#fail(toFault(error));
    }
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** The client is not read while it waits for too much, and the target hears of its end when nothing of it waits any more. */
  #flow(): void {
    if (this.#isOver) return;
    const isPaused = this.#isPaused ? this.#unanswered > maxUnanswered / 2 : this.#unanswered > maxUnanswered;
    // A pause comes before what is asked: it may be answered, and lead to a resume, before the effects behind it are applied.
    if (isPaused && !this.#isPaused) this.#effects.unshift({ kind: 'pause' });
    else if (this.#isPaused && !isPaused) this.#put({ kind: 'resume' });
    this.#isPaused = isPaused;
    if (!this.#isClientDone || this.#isEndForwarded || this.#unanswered > 0) return;
    this.#isEndForwarded = true;
    this.#put({ kind: 'forward-end' });
  }

  #showErrors(pieces: readonly Uint8Array[]): void {
    for (const bytes of pieces) this.#put({ kind: 'reply', stream: 'stderr', bytes: bytes.slice(), grant: this.grant });
  }

  #tell(grant: Grant | undefined, bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#put({ kind: 'reply', stream: 'stdout', bytes, grant });
  }

  /** A few lines on stderr, which not every client reads. */
  #say(text: string): void {
    this.#notices += 1;
    if (this.#notices > maxNotices) return;
    const more = this.#notices === maxNotices ? ' (Further refusals are not told here.)' : '';
    this.#put({ kind: 'reply', stream: 'stderr', bytes: encoder.encode(channelLine(`${text}${more}`, false)), grant: undefined });
  }

  #put(effect: ChannelEffect): void {
    this.#effects.push(effect);
  }
}

const encoder = new TextEncoder();
const noAttributes = new Uint8Array(4);
const isStart: ReadonlySet<string> = new Set(['', '.', './']);
const sftpVersion = 3;
const maxEarlyBytes = 1024 * 1024;
const maxUnanswered = 1024;
const maxIrregularities = 100;
const maxNotices = 50;

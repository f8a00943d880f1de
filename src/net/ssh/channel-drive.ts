import { GatewayFault, toFault } from '../../core/fault.ts';
import { isGenuine, type Grant } from '../../core/grant.ts';
import type { Operation, TranscriptPart } from '../../core/operation.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import type { AuditPort } from '../../core/ports.ts';
import type { ChannelEffect, ChannelSession, Ending } from '../../protocols/ssh/channel.ts';
import { readClientRequest, type RawChannelRequest } from '../../protocols/ssh/channel-request.ts';
import { Deadline } from '../deadline.ts';
import type { ChannelListener, SshChannel } from './channel.ts';
import { OpenAhead } from './open-ahead.ts';
import { sendChannelRequest } from './payload.ts';
import { TargetChannel } from './target-channel.ts';
import type { SshUpstream } from './upstream.ts';
import { Withheld } from './withheld.ts';

export interface ChannelDriveOptions {
  readonly client: SshChannel;
  readonly channel: ChannelSession;
  readonly session: PipelineSession;
  readonly audit: Pick<AuditPort, 'durableCount' | 'durable'>;
  /** The connection to the target. Rejects with a fault. */
  readonly upstream: () => Promise<SshUpstream>;
  /** For the record: what was refused without the channel session. */
  readonly note: (event: string, detail: Readonly<Record<string, string | number>>) => void;
  /** For those who watch. */
  readonly show: (operationId: string, part: TranscriptPart) => void;
  /** The connection cannot go on. */
  readonly fail: (fault: GatewayFault) => void;
  /** Nothing more happens in it. */
  readonly over: () => void;
}

/**
 * The I/O of one channel of type "session": what the client and the target say → the channel session → its effects in order. As in `drive.ts`, a forward without
 * a genuine grant ends the connection, and nothing goes to the client before its grant's record is durable.
 */
export class ChannelDrive implements ChannelListener {
  readonly #options: ChannelDriveOptions;
  readonly #withheld: Withheld;
  readonly #deadline: Deadline;
  /** Of the program, once it is started: the target's `statement_timeout`. */
  readonly #timeout: Deadline;
  readonly #effects: ChannelEffect[] = [];
  readonly #asked = new Set<string>();
  /** Whether the client wants an answer, of each of its requests that has none. */
  readonly #unanswered: boolean[] = [];
  #applying = false;
  readonly #ahead: OpenAhead;
  #target: TargetChannel | undefined;
  #clientPaused = false;
  #targetPaused = false;
  /** Much of what passed waits to be recorded. */
  #recordingIsBehind = false;
  #bytes = 0;
  #ending = false;
  #closed = false;
  #impatience: NodeJS.Timeout | undefined;

  constructor(options: ChannelDriveOptions) {
    this.#options = options;
    this.#withheld = new Withheld(
      options.audit,
      (fault) => this.end(fault),
      () => this.#flow(),
    );
    this.#deadline = new Deadline(() => this.#apply(() => options.channel.notify({ kind: 'deadline' })));
    this.#timeout = new Deadline(() => this.end(tooLong(options.session)));
    this.#ahead = new OpenAhead(options.upstream);
    options.client.listen(this);
  }

  /** The session says its last words, and has a moment to do so. */
  end(fault: GatewayFault): void {
    if (this.#ending || this.#closed) return;
    this.#ending = true;
    if (fault.code === 'audit-unavailable') this.#withheld.discard();
    this.#hurry();
    this.#apply(() => this.#options.channel.notify({ kind: 'end', fault }));
  }

  watched(watchers: number): void {
    this.#apply(() => this.#options.channel.notify({ kind: 'watched', watchers }));
  }

  // ---- from the client

  data(stream: 'data' | 'extended', bytes: Buffer): void {
    // Clients have no second stream (RFC 4254 section 5.2).
    if (stream === 'data') this.#apply(() => this.#options.channel.receive('stdin', bytes));
  }

  eof(): void {
    this.#apply(() => this.#options.channel.notify({ kind: 'ended', from: 'client' }));
  }

  request(raw: RawChannelRequest): void {
    const { name, wantReply } = raw;
    const request = readClientRequest(raw);
    if (name === 'eow@openssh.com') this.#target?.endOfReading();
    if (request === undefined) {
      if (!quiet.has(name)) this.#options.note('channel-request-refused', { request: name.slice(0, 64) });
      if (wantReply) this.#options.client.behind((protocol, peer) => protocol.channelFailure(peer));
      return;
    }
    this.#unanswered.push(wantReply);
    this.#apply(() => this.#options.channel.request(request));
  }

  answered(): void {}

  drained(): void {
    this.#flow();
  }

  /**
   * A client that has heard the end of the output and has no more input closes its side at once where connections are shared (`ControlMaster`), and waits for how the program ended:
   * that is told as long as this side is open, as sshd does it.
   */
  closed(fault: GatewayFault | undefined): void {
    if (this.#closed) return;
    const { client } = this.#options;
    if (fault === undefined && this.#target !== undefined && client.hasSaidEnd) {
      client.stay();
      return;
    }
    this.#hurry();
    this.#apply(() => this.#options.channel.notify({ kind: 'closed', from: 'client', fault }));
  }

  // ---- effects

  #apply(step: () => readonly ChannelEffect[]): void {
    if (this.#closed) return;
    try {
      this.#effects.push(...step());
      if (this.#applying) return;
      this.#applying = true;
      for (let effect = this.#effects.shift(); effect !== undefined; effect = this.#effects.shift()) this.#applyOne(effect);
    } catch (error) {
      this.#effects.length = 0;
      this.#close();
      this.#options.fail(toFault(error));
    } finally {
      this.#applying = false;
    }
    this.#flow();
  }

  #applyOne(effect: ChannelEffect): void {
    const { session, client } = this.#options;
    switch (effect.kind) {
      case 'ask':
        void this.#ask(effect.operation, effect.refusal);
        return;
      case 'accept':
        this.#answer(true);
        return;
      case 'reject':
        this.#answer(false);
        return;
      case 'start':
        this.#start(effect);
        return;
      case 'forward':
        this.#permitted(effect.grant)?.write(effect.bytes);
        return;
      case 'forward-end':
        this.#target?.end();
        return;
      case 'forward-signal':
        this.#permitted(effect.grant)?.signal(effect.name);
        return;
      case 'forward-resize':
        this.#target?.resize(effect);
        return;
      case 'reply':
        this.#reply(effect.stream, effect.bytes, effect.grant);
        return;
      case 'reply-end':
        this.#withheld.behind(() => client.end());
        return;
      case 'exit':
        this.#withheld.behind(() => this.#exit(effect.ending));
        return;
      case 'pause':
        this.#clientPaused = true;
        return;
      case 'resume':
        this.#clientPaused = false;
        return;
      case 'pause-target':
        this.#targetPaused = true;
        return;
      case 'resume-target':
        this.#targetPaused = false;
        return;
      case 'complete':
        session.complete(effect.completion);
        return;
      case 'sample':
        session.sample(effect.sample);
        return;
      case 'transcript':
        this.#recordingRoom(session.transcript(effect.operationId, effect.part));
        this.#options.show(effect.operationId, effect.part);
        return;
      case 'note':
        session.note(effect.event, effect.detail);
        return;
      case 'deadline':
        this.#deadline.set(effect.afterMs);
        return;
      case 'close':
        this.#withheld.behind(() => client.close());
        this.#close();
        return;
      default:
        effect satisfies never;
    }
  }

  #answer(accepted: boolean): void {
    const wantReply = this.#unanswered.shift();
    if (wantReply !== true) return;
    this.#withheld.behind(() =>
      this.#options.client.behind((protocol, peer) => (accepted ? protocol.channelSuccess(peer) : protocol.channelFailure(peer))),
    );
  }

  #start({ grant, ...program }: Extract<ChannelEffect, { readonly kind: 'start' }>): void {
    this.#demand(grant);
    const { channel, session } = this.#options;
    this.#timeout.set(session.limits.inForce.statementTimeoutMs);
    this.#target = new TargetChannel(this.#ahead.take(), program, {
      data: (stream, bytes) => this.#apply(() => channel.receive(stream, bytes)),
      notify: (event) => this.#apply(() => channel.notify(event)),
      drained: () => this.#flow(),
    });
  }

  #reply(stream: 'stdout' | 'stderr', bytes: Uint8Array, grant: Grant | undefined): void {
    const { session, client } = this.#options;
    const most = session.limits.inForce.bytes;
    if (most !== undefined && this.#bytes + bytes.length > most && grant !== undefined && !this.#ending) {
      // What the session says last goes in the place of these bytes, and of those behind them.
      this.#effects.push(...this.#effects.splice(0).filter(({ kind }) => kind !== 'reply'));
      this.end(tooMany(session.target.name, most));
      return;
    }
    this.#bytes += bytes.length;
    this.#withheld.put(bytes, grant, (kept) => client.write(stream === 'stdout' ? 'data' : 'extended', kept));
  }

  #exit(ending: Ending): void {
    this.#options.client.behind((protocol, peer) => {
      if (ending.kind === 'status') protocol.exitStatus(peer, ending.status);
      else {
        const { name, coreDumped, message } = ending;
        sendChannelRequest(protocol, peer, 'exit-signal', [{ string: name }, { bool: coreDumped }, { string: message }, { string: '' }]);
      }
    });
  }

  async #ask(operation: Operation, refusal: GatewayFault | undefined): Promise<void> {
    const { session, channel } = this.#options;
    this.#asked.add(operation.id);
    // What is asked before anything runs, and is not refused as it stands, is a program.
    if (refusal === undefined && this.#target === undefined) this.#ahead.begin();
    const outcome =
      refusal === undefined
        ? await session.decide(operation, (message) => {
            this.#ahead.drop();
            this.#apply(() => channel.notify({ kind: 'held', operationId: operation.id, message }));
          })
        : session.refuse(operation, refusal);
    this.#asked.delete(operation.id);
    if (!this.#closed) this.#apply(() => channel.decide(operation.id, outcome));
    else if (outcome.kind === 'granted') session.complete(abandoned(operation.id));
    // What was granted may still wait until someone watches.
    if (this.#target === undefined) this.#ahead.drop();
  }

  /** The target's channel, for what has a genuine grant. Throws for anything else. Undefined: the target has closed it. */
  #permitted(grant: Grant): TargetChannel | undefined {
    this.#demand(grant);
    return this.#target;
  }

  #demand(grant: Grant): void {
    if (isGenuine(grant, this.#options.session.id)) return;
    throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'forward without a genuine grant' });
  }

  // ---- flow

  /** What comes faster than it can be recorded waits. */
  #recordingRoom(room: Promise<void> | undefined): void {
    if (room === undefined || this.#recordingIsBehind) return;
    this.#recordingIsBehind = true;
    void room.then(() => {
      this.#recordingIsBehind = false;
      this.#flow();
    });
  }

  /** Reads from a side only while the other one takes what comes of it. */
  #flow(): void {
    const { client } = this.#options;
    const target = this.#target;
    if (this.#closed) return;
    if (this.#recordingIsBehind || this.#clientPaused || target?.isFull === true) client.pause();
    else client.resume();
    if (this.#recordingIsBehind || this.#targetPaused || client.isFull || this.#withheld.isFull) target?.pause();
    else target?.resume();
  }

  /** What does not come to its end by itself is brought to it. */
  #hurry(): void {
    this.#impatience ??= setTimeout(() => {
      this.#options.client.close(true);
      this.#close();
    }, closeGraceMs);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#impatience);
    this.#deadline.stop();
    this.#timeout.stop();
    this.#target?.close();
    this.#ahead.drop();
    for (const id of this.#asked) this.#options.session.cancelHold(id, 'the channel is closed');
    this.#options.over();
  }
}

function abandoned(operationId: string) {
  return { operationId, outcome: 'cancelled', rows: 0, bytes: 0, masked: {} } as const;
}

function tooMany(target: string, value: number): GatewayFault {
  return new GatewayFault('limit-exceeded', { publicMessage: `bytes (${value}) of target ${target} is exceeded` });
}

function tooLong({ limits, target }: PipelineSession): GatewayFault {
  const seconds = (limits.inForce.statementTimeoutMs ?? 0) / 1000;
  return new GatewayFault('statement-timeout', { publicMessage: `statement_timeout (${seconds} s) of target ${target.name} is exceeded` });
}

/** What OpenSSH sends in passing, and needs no record. */
const quiet: ReadonlySet<string> = new Set(['keepalive@openssh.com', 'eow@openssh.com']);
const closeGraceMs = 3_000;

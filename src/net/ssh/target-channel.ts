import { GatewayFault, toFault } from '../../core/fault.ts';
import type { ChannelEvent, ChannelStream, Program, Terminal } from '../../protocols/ssh/channel.ts';
import { readEnding, type RawChannelRequest } from '../../protocols/ssh/channel-request.ts';
import type { ChannelListener, SshChannel } from './channel.ts';
import { sendChannelRequest } from './payload.ts';

export interface TargetProgram {
  readonly program: Program;
  readonly environment: readonly (readonly [string, string])[];
  readonly terminal: Terminal | undefined;
}

export interface TargetListener {
  data(stream: Exclude<ChannelStream, 'stdin'>, bytes: Uint8Array): void;
  notify(event: ChannelEvent): void;
  drained(): void;
}

/** A program at the target: its channel, from the request to run it to its end. */
export class TargetChannel implements ChannelListener {
  readonly #listener: TargetListener;
  /** What the target was asked and has not answered. */
  readonly #expected: ('terminal' | 'program')[] = [];
  #channel: SshChannel | undefined;
  #isStarted = false;
  #closed = false;
  #paused = false;

  /** `opening` rejects with a fault. */
  constructor(opening: Promise<SshChannel>, program: TargetProgram, listener: TargetListener) {
    this.#listener = listener;
    void this.#open(opening, program);
  }

  get isFull(): boolean {
    return this.#channel?.isFull === true;
  }

  write(bytes: Uint8Array): void {
    this.#running()?.write('data', bytes);
  }

  end(): void {
    this.#channel?.end();
  }

  signal(name: string): void {
    this.#channel?.behind((protocol, peer) => sendChannelRequest(protocol, peer, 'signal', [{ string: name }]));
  }

  /** The client can show no more of the output: what writes it is to hear of that (OpenSSH PROTOCOL section 2.1). */
  endOfReading(): void {
    this.#channel?.behind((protocol, peer) => sendChannelRequest(protocol, peer, 'eow@openssh.com', []));
  }

  resize({ columns, rows, widthPixels, heightPixels }: Omit<Terminal, 'name' | 'modes'>): void {
    this.#channel?.behind((protocol, peer) => protocol.windowChange(peer, rows, columns, heightPixels, widthPixels));
  }

  pause(): void {
    this.#paused = true;
    this.#channel?.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#channel?.resume();
  }

  close(): void {
    this.#closed = true;
    this.#channel?.close(true);
  }

  async #open(opening: Promise<SshChannel>, program: TargetProgram): Promise<void> {
    try {
      const channel = await opening;
      if (this.#closed) channel.close(true);
      else this.#begin(channel, program);
    } catch (error) {
      this.#notStarted(toFault(error));
    }
  }

  #begin(channel: SshChannel, { program, environment, terminal }: TargetProgram): void {
    this.#channel = channel;
    channel.listen(this);
    if (this.#paused) channel.pause();
    channel.behind((protocol, peer) => {
      for (const [name, value] of environment) protocol.env(peer, name, value, false);
      if (terminal !== undefined) {
        const { rows, columns, heightPixels, widthPixels, name, modes } = terminal;
        this.#expected.push('terminal');
        protocol.pty(peer, rows, columns, heightPixels, widthPixels, name, Buffer.from(modes), true);
      }
      this.#expected.push('program');
      if (program.kind === 'shell') protocol.shell(peer, true);
      else if (program.kind === 'exec') protocol.exec(peer, program.command, true);
      else protocol.subsystem(peer, program.name, true);
    });
  }

  #running(): SshChannel | undefined {
    if (this.#isStarted || this.#closed) return this.#channel;
    throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'forward to a program that has not started' });
  }

  #notStarted(fault: GatewayFault): void {
    if (this.#closed) return;
    this.close();
    this.#listener.notify({ kind: 'not-started', fault });
  }

  // ---- from the target

  data(stream: 'data' | 'extended', bytes: Buffer): void {
    if (!this.#closed) this.#listener.data(stream === 'data' ? 'stdout' : 'stderr', bytes);
  }

  eof(): void {
    this.#listener.notify({ kind: 'ended', from: 'target' });
  }

  answered(succeeded: boolean): void {
    const what = this.#expected.shift();
    if (!succeeded) this.#notStarted(refused(what === 'terminal' ? 'gives no terminal' : 'does not run it'));
    else if (what === 'program') {
      this.#isStarted = true;
      this.#listener.notify({ kind: 'started' });
    }
  }

  request(request: RawChannelRequest): void {
    const ending = readEnding(request);
    if (ending !== undefined) this.#listener.notify({ kind: 'exited', ending });
    if (request.wantReply) this.#channel?.behind((protocol, peer) => protocol.channelFailure(peer));
  }

  drained(): void {
    this.#listener.drained();
  }

  closed(fault: GatewayFault | undefined): void {
    if (this.#closed) return;
    if (this.#isStarted) {
      this.#closed = true;
      this.#listener.notify({ kind: 'closed', from: 'target', fault });
    } else this.#notStarted(fault ?? refused('closed the channel before it ran anything'));
  }
}

function refused(what: string): GatewayFault {
  return new GatewayFault('upstream-refused', {
    publicMessage: `the target ${what}`,
    hint: 'Ask the platform team what the target’s SSH server allows.',
  });
}

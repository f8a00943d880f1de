import type { Outcome } from '../../core/effect.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { ChannelEffect, ChannelEvent, ChannelRequest, ChannelSession, ChannelStream } from './channel.ts';
import { channelLine } from './channel-fault.ts';

export interface ModerationParts {
  /** The program's own session, which has started. */
  readonly running: ChannelSession;
  readonly group: string;
  readonly sessionId: string;
  readonly terminal: boolean;
}

/**
 * An interactive program that someone must watch. While nobody does, nothing is read of either side, what is on its way already is kept in its order, and nothing of it is passed
 * on, shown or recorded; when someone is back, it goes on with that. Whoever watches can end the session like any operator. The end of the session and the closing of the channel by
 * its client are not held up.
 */
export class ModeratedSession implements ChannelSession {
  readonly #parts: ModerationParts;
  #isWatched = true;
  /** What came while nobody watched. */
  #kept: (() => readonly ChannelEffect[])[] = [];
  #keptBytes = 0;

  constructor(parts: ModerationParts) {
    this.#parts = parts;
  }

  request(request: ChannelRequest): readonly ChannelEffect[] {
    // A signal is input: it is refused, not kept, since it would reach the program when nobody expects it any more.
    if (!this.#isWatched && request.kind === 'signal') return [{ kind: 'reject' }];
    return this.#parts.running.request(request);
  }

  receive(from: ChannelStream, bytes: Uint8Array): readonly ChannelEffect[] {
    const { running } = this.#parts;
    if (this.#isWatched) return running.receive(from, bytes);
    const copy = bytes.slice();
    this.#keptBytes += copy.length;
    if (this.#keptBytes > mostKeptBytes) return running.notify({ kind: 'end', fault: tooMuch() });
    return this.#keep(() => running.receive(from, copy));
  }

  decide(operationId: string, outcome: Outcome): readonly ChannelEffect[] {
    return this.#parts.running.decide(operationId, outcome);
  }

  notify(event: ChannelEvent): readonly ChannelEffect[] {
    const { running } = this.#parts;
    if (event.kind === 'watched') return this.#watched(event.watchers);
    const isLast = event.kind === 'end' || (event.kind === 'closed' && event.from === 'client');
    if (this.#isWatched || isLast) return running.notify(event);
    return this.#keep(() => running.notify(event));
  }

  #watched(watchers: number): readonly ChannelEffect[] {
    const { group, sessionId } = this.#parts;
    if (watchers > 0 === this.#isWatched) return [];
    this.#isWatched = watchers > 0;
    if (!this.#isWatched) {
      return [
        { kind: 'pause' },
        { kind: 'pause-target' },
        { kind: 'note', event: 'unwatched', detail: { group } },
        this.#say(`paused: nobody of ${group} watches (sallyport sessions watch ${sessionId})`),
      ];
    }
    const effects: ChannelEffect[] = [{ kind: 'note', event: 'watched', detail: { group } }, this.#say(`${group} watches: it goes on`)];
    const kept = this.#kept;
    this.#kept = [];
    this.#keptBytes = 0;
    for (const one of kept) effects.push(...one());
    effects.push({ kind: 'resume-target' }, { kind: 'resume' });
    return effects;
  }

  #keep(one: () => readonly ChannelEffect[]): readonly ChannelEffect[] {
    this.#kept.push(one);
    return this.#kept.length > mostKept ? this.#parts.running.notify({ kind: 'end', fault: tooMuch() }) : [];
  }

  #say(text: string): ChannelEffect {
    return { kind: 'reply', stream: 'stderr', bytes: encoder.encode(channelLine(text, this.#parts.terminal)), grant: undefined };
  }
}

function tooMuch(): GatewayFault {
  return new GatewayFault('limit-exceeded', { publicMessage: 'too much came while nobody watched' });
}

const encoder = new TextEncoder();
/** What both sides may have on their way when they are no longer read: a window each (RFC 4254 section 5.2). */
const mostKeptBytes = 8 * 1024 * 1024;
const mostKept = 65_536;

import { GatewayFault } from '../core/fault.ts';
import type { LoggedRecord, RecordQuery, TailOptions } from './disk/query.ts';

/** A log by the name that people give it, here or in another process. */
export interface NamedLog {
  /** `gateway`, or `workers/1`. */
  readonly name: string;
  /** Throws `audit-unavailable` where the log cannot be read now. */
  query(query: RecordQuery): AsyncGenerator<LoggedRecord, void, undefined>;
  /** Durable records. */
  length(): Promise<number>;
}

/** A place in one log: a sequence. In several: `<name>:<sequence>`, separated by commas. */
export type Place = number | string;

export interface FoundRecord extends LoggedRecord {
  /** Undefined where there is but one log. */
  readonly log?: string;
  /** Where to go on, so that this record comes first. */
  readonly place?: Place;
}

export interface TogetherQuery extends Omit<RecordQuery, 'first' | 'end'> {
  /** Only this log. */
  readonly log?: string;
  /** From here on: forwards, or backwards with `newest`. A number is a sequence of every log that is read. */
  readonly from?: Place;
}

export interface TogetherTail extends Omit<TailOptions, 'first'> {
  readonly from?: Place;
}

/**
 * The logs of one gateway read as one, by time. In each log records keep their order, whatever its clock says. Without other logs it is the one log,
 * and places are its sequences.
 */
export class LogsTogether {
  readonly #own: NamedLog & { tail(options: TailOptions): AsyncGenerator<LoggedRecord, void, undefined> };
  readonly #others: () => readonly NamedLog[];

  constructor(
    own: NamedLog & { tail(options: TailOptions): AsyncGenerator<LoggedRecord, void, undefined> },
    others: () => readonly NamedLog[],
  ) {
    this.#own = own;
    this.#others = others;
  }

  async *query({ log, from, ...query }: TogetherQuery): AsyncGenerator<FoundRecord, void, undefined> {
    const all = [this.#own, ...this.#others()];
    const logs = log === undefined ? all : all.filter(({ name }) => name === log);
    if (logs.length === 0) throw new GatewayFault('unsupported', { publicMessage: `there is no log "${log}"` });
    const backwards = query.order !== 'oldest';
    const heads = await Promise.all(logs.map((one) => Head.open(one, { ...query, ...bounds(from, one.name, backwards) }, backwards)));
    let left = query.limit ?? Infinity;
    for (let next = first(heads, backwards); next !== undefined && left > 0; next = first(heads, backwards), left--) {
      const place = all.length === 1 ? next.found.sequence : heads.map((head) => `${head.log.name}:${head.place}`).join(',');
      yield all.length === 1 ? { ...next.found, place } : { ...next.found, log: next.head.log.name, place };
      await next.head.advance();
    }
  }

  /** The place behind every record that is durable now. */
  async end(): Promise<Place> {
    const others = this.#others();
    if (others.length === 0) return this.#own.length();
    const lengths = await Promise.all([this.#own, ...others].map(async (log) => `${log.name}:${await log.length()}`));
    return lengths.join(',');
  }

  /** Each record once it is durable, until the signal. Several logs are looked at four times a second. */
  async *tail({ from, signal, ...filter }: TogetherTail): AsyncGenerator<FoundRecord, void, undefined> {
    const logs = this.#others();
    let place = from ?? (await this.end());
    if (logs.length === 0 && typeof place === 'number') {
      for await (const found of this.#own.tail({ ...filter, first: place, ...(signal === undefined ? {} : { signal }) })) {
        yield { ...found, place: found.sequence + 1 };
      }
      return;
    }
    const isStopped = (): boolean => signal?.aborted === true;
    while (!isStopped()) {
      const end = await this.end();
      const passed = new Map([this.#own, ...this.#others()].map(({ name }) => [name, readPlace(place)(name) ?? 0]));
      for await (const found of this.query({ ...filter, order: 'oldest', from: place })) {
        if (isStopped()) return;
        passed.set(found.log ?? this.#own.name, found.sequence + 1);
        yield { ...found, place: text(passed) };
      }
      // Behind what was looked through, also where nothing of it matched.
      for (const [name, passedTo] of passed) passed.set(name, Math.max(passedTo, readPlace(end)(name) ?? 0));
      place = text(passed);
      await pause(lookMs, signal);
    }
  }
}

/** The next record of one log. */
class Head {
  readonly log: NamedLog;
  readonly #records: AsyncGenerator<LoggedRecord, void, undefined>;
  readonly #backwards: boolean;
  found: LoggedRecord | undefined;
  /** Where this log goes on with `found`; without one, behind the last. */
  place: number;

  private constructor(log: NamedLog, query: RecordQuery, backwards: boolean) {
    this.log = log;
    this.#records = log.query(query);
    this.#backwards = backwards;
    this.place = backwards ? 0 : (query.first ?? 0);
  }

  static async open(log: NamedLog, query: RecordQuery, backwards: boolean): Promise<Head> {
    const head = new Head(log, query, backwards);
    await head.advance();
    return head;
  }

  async advance(): Promise<void> {
    const before = this.found;
    const next = await this.#records.next();
    this.found = next.done === true ? undefined : next.value;
    if (this.found !== undefined) this.place = this.#backwards ? this.found.sequence + 1 : this.found.sequence;
    else if (this.#backwards) this.place = 0;
    else if (before !== undefined) this.place = before.sequence + 1;
  }
}

function first(heads: readonly Head[], backwards: boolean): { readonly head: Head; readonly found: LoggedRecord } | undefined {
  let best: { readonly head: Head; readonly found: LoggedRecord } | undefined;
  for (const head of heads) {
    const { found } = head;
    if (found === undefined) continue;
    const isNext =
      best === undefined || (backwards ? found.record.time > best.found.record.time : found.record.time < best.found.record.time);
    if (isNext) best = { head, found };
  }
  return best;
}

function bounds(from: Place | undefined, log: string, backwards: boolean): Pick<RecordQuery, 'first' | 'end'> {
  if (from === undefined) return {};
  const place = readPlace(from)(log) ?? 0;
  if (!backwards) return { first: place };
  return { end: typeof from === 'number' ? place + 1 : place };
}

function readPlace(place: Place | undefined): (log: string) => number | undefined {
  if (typeof place !== 'string') return () => place;
  const places = new Map(
    place.split(',').map((part): [string, number] => {
      const at = part.lastIndexOf(':');
      return [part.slice(0, at), Number(part.slice(at + 1))];
    }),
  );
  return (log) => places.get(log) ?? 0;
}

function text(places: ReadonlyMap<string, number>): string {
  return [...places].map(([name, sequence]) => `${name}:${sequence}`).join(',');
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}

const lookMs = 250;

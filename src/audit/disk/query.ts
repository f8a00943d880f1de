import { GatewayFault } from '../../core/fault.ts';
import type { AuditRecord, AuditRecordType } from '../../core/record.ts';
import type { Stamp } from '../record.ts';
import { TILE_HASHES } from '../tiles.ts';
import type { LogReader } from './reader.ts';

/**
 * A record as the log holds it. Where `bodies` names a member, that member is `{ sha256, bytes }`, whatever its type says, and its value is
 * the body of that digest.
 */
export interface LoggedRecord {
  readonly sequence: number;
  readonly record: AuditRecord & Stamp & { readonly bodies?: Readonly<Record<string, 'text' | 'json'>> };
}

/** All that are given must hold. */
interface RecordFilter {
  readonly types?: readonly AuditRecordType[];
  readonly session?: string;
  readonly operation?: string;
  readonly approval?: string;
  /** `<issuer>|<subject>`. */
  readonly principal?: string;
  readonly target?: string;
  /** Milliseconds since 1970; `fromMs <= time < toMs`. */
  readonly fromMs?: number;
  readonly toMs?: number;
  /** In any of the record's texts, without regard to case; not in bodies stored beside it. */
  readonly text?: string;
}

export interface RecordQuery extends RecordFilter {
  readonly order?: 'newest' | 'oldest';
  readonly limit?: number;
  /** Sequences `first <= sequence < end`. */
  readonly first?: number;
  readonly end?: number;
}

/** Reads durable records, those of the moment of the call; newest first unless asked otherwise. */
export async function* queryRecords(reader: LogReader, query: RecordQuery): AsyncGenerator<LoggedRecord, void, undefined> {
  const matches = matcher(query);
  const first = Math.max(0, query.first ?? 0);
  const end = Math.min(reader.size, query.end ?? Infinity);
  const newestFirst = query.order !== 'oldest';
  let left = query.limit ?? Infinity;
  const bundles = Math.ceil(end / TILE_HASHES) - Math.floor(first / TILE_HASHES);
  for (let i = 0; i < bundles && left > 0; i++) {
    const bundle = newestFirst ? Math.floor((end - 1) / TILE_HASHES) - i : Math.floor(first / TILE_HASHES) + i;
    const leaves = await reader.leaves(bundle);
    const begin = Math.max(first - bundle * TILE_HASHES, 0);
    const stop = Math.min(end - bundle * TILE_HASHES, TILE_HASHES);
    if (leaves.length < stop) throw unreadable(bundle * TILE_HASHES + leaves.length);
    for (let j = begin; j < stop && left > 0; j++) {
      const slot = newestFirst ? stop - 1 - (j - begin) : j;
      const found = matches(bundle * TILE_HASHES + slot, leaves[slot]!);
      if (found === undefined) continue;
      left--;
      yield found;
    }
  }
}

export interface TailOptions extends RecordFilter {
  /** Where to begin; the log's end where it is left out. */
  readonly first?: number;
  /** Ends the tail. */
  readonly signal?: AbortSignal;
}

export interface DurableSource {
  onDurable(listener: () => void): () => void;
  readonly isClosed: boolean;
}

/** Follows the log: each record that matches, once it is durable, until the signal or the log's close. */
export async function* tailRecords(
  reader: LogReader,
  source: DurableSource,
  options: TailOptions,
): AsyncGenerator<LoggedRecord, void, undefined> {
  const { signal, first, ...filter } = options;
  let next = first ?? reader.size;
  let wake = Promise.withResolvers<void>();
  const isStopped = (): boolean => signal?.aborted === true;
  const ring = (): void => wake.resolve();
  const unsubscribe = source.onDurable(ring);
  signal?.addEventListener('abort', ring);
  try {
    while (!isStopped()) {
      const end = reader.size;
      if (next < end) {
        for await (const found of queryRecords(reader, { ...filter, order: 'oldest', first: next, end })) {
          if (isStopped()) return;
          yield found;
        }
        next = end;
        continue;
      }
      if (source.isClosed) return;
      await wake.promise;
      wake = Promise.withResolvers<void>();
    }
  } finally {
    unsubscribe();
    signal?.removeEventListener('abort', ring);
  }
}

type Matcher = (sequence: number, leaf: Uint8Array) => LoggedRecord | undefined;

/** Canonical JSON has one spelling for each member, so that most leaves are ruled out by their bytes, unparsed. */
function matcher(filter: RecordFilter): Matcher {
  const needles = (['session', 'operation', 'approval', 'target'] as const)
    .filter((name) => filter[name] !== undefined)
    .map((name) => Buffer.from(`"${name}":${JSON.stringify(filter[name])}`));
  const types = filter.types === undefined ? undefined : new Set<string>(filter.types);
  const text = filter.text?.toLowerCase();
  return (sequence, leaf) => {
    const bytes = Buffer.from(leaf.buffer, leaf.byteOffset, leaf.byteLength);
    for (const needle of needles) if (!bytes.includes(needle)) return undefined;
    const record = parse(sequence, bytes);
    const members = record as unknown as Readonly<Record<string, unknown>>;
    if (types?.has(record.type) === false) return undefined;
    if (filter.session !== undefined && members['session'] !== filter.session) return undefined;
    if (filter.operation !== undefined && members['operation'] !== filter.operation) return undefined;
    if (filter.approval !== undefined && members['approval'] !== filter.approval) return undefined;
    if (filter.target !== undefined && members['target'] !== filter.target) return undefined;
    if (filter.principal !== undefined && principalOf(members) !== filter.principal) return undefined;
    if (!isWithin(record.time, filter)) return undefined;
    if (text !== undefined && !holdsText(record, text)) return undefined;
    return { sequence, record };
  };
}

function principalOf(members: Readonly<Record<string, unknown>>): unknown {
  return members['principal'] ?? `${String(members['issuer'])}|${String(members['subject'])}`;
}

function isWithin(time: string, filter: RecordFilter): boolean {
  if (filter.fromMs === undefined && filter.toMs === undefined) return true;
  const ms = Date.parse(time);
  return ms >= (filter.fromMs ?? -Infinity) && ms < (filter.toMs ?? Infinity);
}

function holdsText(value: unknown, text: string): boolean {
  if (typeof value === 'string') return value.toLowerCase().includes(text);
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((member) => holdsText(member, text));
}

function parse(sequence: number, bytes: Buffer): LoggedRecord['record'] {
  try {
    return JSON.parse(bytes.toString()) as LoggedRecord['record'];
  } catch (error) {
    throw unreadable(sequence, error);
  }
}

function unreadable(sequence: number, cause?: unknown): GatewayFault {
  return new GatewayFault('audit-unavailable', {
    publicMessage: 'the audit log cannot be read',
    detail: `record ${sequence} is damaged`,
    cause,
  });
}

import { join, resolve } from 'node:path';
import { GatewayFault } from '../core/fault.ts';
import type { AuditPort, ClockPort } from '../core/ports.ts';
import type { NoteSigner } from './checkpoint.ts';
import { Bodies } from './disk/bodies.ts';
import type { FileSystem } from './disk/file-system.ts';
import { localDisk, readIfPresent, writeDurably } from './disk/file-system.ts';
import { Journal } from './disk/journal.ts';
import { loadDigestKey, loadSigner } from './disk/keys.ts';
import { WriterLock } from './disk/lock.ts';
import type { LogHealth, LogLimits, LogParts } from './disk/log.ts';
import { LogWriter } from './disk/log.ts';
import { Publisher } from './disk/publish.ts';
import type { LoggedRecord, RecordQuery, TailOptions } from './disk/query.ts';
import { queryRecords, tailRecords } from './disk/query.ts';
import type { MerkleProof } from './disk/reader.ts';
import { LogReader } from './disk/reader.ts';
import { isNew, recover } from './disk/recover.ts';

export { LogsTogether, type FoundRecord, type NamedLog, type Place } from './together.ts';
export type { LogHealth, LoggedRecord, MerkleProof, RecordQuery, TailOptions };

export interface AuditLogOptions {
  /** `<data>/audit`; created where it is missing. */
  readonly folder: string;
  /** Names the log in its checkpoints; a URL without its scheme. Never changes for a log. */
  readonly origin: string;
  /** The gateway's name, for each record. */
  readonly gateway: string;
  /** Digest of the active policy set, for each record; empty before there is one. */
  readonly policyVersion: () => string;
  /** Ed25519, PKCS #8, PEM. Made, with mode 0600, for a new log. */
  readonly privateKeyFile: string;
  /** Key of `digest`. Made, with mode 0600, where it is missing. */
  readonly digestKeyFile: string;
  /** `disk`: durable is what fdatasync has returned for. `process`: what the operating system has taken. */
  readonly durability: 'disk' | 'process';
  readonly clock: ClockPort;
  /** Called when the log turns unhealthy and when it is well again. */
  readonly onHealth?: (health: LogHealth) => void;
  readonly limits?: Partial<LogLimits>;
  /** Tests put a failing disk here. */
  readonly disk?: FileSystem;
}

export interface AuditLog extends AuditPort {
  /** Durable records. */
  readonly size: number;
  /** Root of the tree over the durable records: 32 bytes. */
  root(): Uint8Array;
  /** C2SP verifier key: `<origin>+<key id>+<base64>`. */
  readonly verifierKey: string;
  readonly healthy: boolean;
  readonly health: LogHealth;
  /** Signs a checkpoint over every record appended so far and resolves with the note, once it is on disk. */
  checkpoint(): Promise<string>;
  /**
   * Durable records, among them all that were appended before the call: whoever was just refused finds that on record. While the disk fails, those that are
   * durable already. Throws `audit-unavailable` where a part of the log cannot be read.
   */
  query(query: RecordQuery): AsyncGenerator<LoggedRecord, void, undefined>;
  tail(options?: TailOptions): AsyncGenerator<LoggedRecord, void, undefined>;
  /** For the tree of `size` records, by default all; `RangeError` where there is none. */
  inclusionProof(sequence: number, size?: number): Promise<MerkleProof>;
  consistencyProof(first: number, size: number): Promise<MerkleProof>;
  /** Stores content beside the log under its digest; durable when it resolves. */
  body(content: Uint8Array): Promise<{ readonly sha256: string; readonly bytes: number }>;
  readBody(sha256: string): Promise<Uint8Array>;
  /** Writes what is waiting, signs a last checkpoint, gives up the lock. Throws when not every record could be made durable. */
  close(): Promise<void>;
}

/**
 * Opens the log on local disk (format: docs/reference/audit-log.md), or makes a new one. Throws `audit-unavailable` while another
 * process writes it, and when it is not the log that its checkpoint signs.
 */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const disk = options.disk ?? localDisk;
  const root = resolve(options.folder);
  await disk.makeFolder(root);
  const lock = await WriterLock.take(disk, join(root, 'lock'));
  try {
    return await openLocked(options, disk, root, lock);
  } catch (error) {
    await lock.release().catch(() => {});
    if (error instanceof GatewayFault) throw error;
    throw cannotOpen((error as Error).message, error);
  }
}

async function openLocked(options: AuditLogOptions, disk: FileSystem, root: string, lock: WriterLock): Promise<AuditLog> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const digestKey = await loadDigestKey(disk, options.digestKeyFile);
  const signer = await loadSigner(disk, options.privateKeyFile, options.origin, await isNew(disk, root));
  await publishKey(disk, root, signer);
  const { bundles, droppedBytes, journal: state, published, tree } = await recover(disk, root, signer.verifier);

  const publisher = new Publisher(disk, root, signer, tree, bundles, published);
  if (published.note === '') await publisher.publish(publisher.snapshot());
  const bodyFolder = join(root, 'bodies');
  const journalFolder = join(root, 'journal');
  for (const folder of [bodyFolder, journalFolder]) await disk.makeFolder(folder);
  await disk.syncFolder(root);
  const { durability } = options;
  const sizes = { segmentBytes: limits.segmentBytes, roomBytes: durability === 'disk' ? limits.roomBytes : 0 };
  const journal = await Journal.open(disk, journalFolder, sizes, state);

  const { clock, gateway, onHealth = () => {}, policyVersion } = options;
  const bodies = new Bodies(disk, bodyFolder);
  const parts = { bodies, bundles, clock, digestKey, durability, gateway, journal, limits, lock, onHealth, policyVersion, publisher, tree };
  const log = new LocalLog(parts, new LogReader(disk, root, tree, bundles), signer.verifier.line);
  if (droppedBytes > 0) log.append({ type: 'log.recovered', records: tree.size, dropped_bytes: droppedBytes });
  return log;
}

/** `log.pub` is a copy for people; that it names another key than the private one means that one of the two was exchanged. */
async function publishKey(disk: FileSystem, root: string, signer: NoteSigner): Promise<void> {
  const path = join(root, 'log.pub');
  const line = `${signer.verifier.line}\n`;
  const present = await readIfPresent(disk, path);
  if (present === undefined) return writeDurably(disk, path, Buffer.from(line));
  if (present.toString() !== line) throw cannotOpen(`log.pub holds another key or origin than ${signer.verifier.line}`);
}

function cannotOpen(detail: string, cause?: unknown): GatewayFault {
  return new GatewayFault('audit-unavailable', { publicMessage: 'the audit log cannot be opened', detail, cause });
}

/** The writer, with the ways to read. */
class LocalLog extends LogWriter implements AuditLog {
  readonly verifierKey: string;
  readonly #parts: LogParts;
  readonly #reader: LogReader;

  constructor(parts: LogParts, reader: LogReader, verifierKey: string) {
    super(parts);
    this.verifierKey = verifierKey;
    this.#parts = parts;
    this.#reader = reader;
  }

  get size(): number {
    return this.#parts.tree.size;
  }

  root(): Uint8Array {
    return this.#parts.tree.root();
  }

  get healthy(): boolean {
    return this.health.healthy;
  }

  async *query(query: RecordQuery): AsyncGenerator<LoggedRecord, void, undefined> {
    await this.settled();
    yield* queryRecords(this.#reader, query);
  }

  tail(options: TailOptions = {}): AsyncGenerator<LoggedRecord, void, undefined> {
    return tailRecords(this.#reader, this, options);
  }

  inclusionProof(sequence: number, size?: number): Promise<MerkleProof> {
    return this.#reader.inclusionProof(sequence, size);
  }

  consistencyProof(first: number, size: number): Promise<MerkleProof> {
    return this.#reader.consistencyProof(first, size);
  }

  readBody(sha256: string): Promise<Uint8Array> {
    return this.#parts.bodies.read(sha256);
  }
}

const DEFAULT_LIMITS: LogLimits = {
  backlogRecords: 20_000,
  backlogBytes: 64 * 1024 * 1024,
  unsignedRecords: 200_000,
  checkpointRecords: 1_000,
  checkpointMs: 10_000,
  checkpointSpacingMs: 1_000,
  waitingBundles: 16,
  stallMs: 700,
  retryMs: 1_000,
  segmentBytes: 16 * 1024 * 1024,
  roomBytes: 256 * 1024,
};

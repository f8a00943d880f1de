import { GatewayFault } from '../../../core/fault.ts';
import {
  maxHandleBytes,
  maxPathBytes,
  TYPE,
  type Answer,
  type Attributes,
  type Extension,
  type Name,
  type PathChange,
  type PathQuery,
  type Request,
} from './messages.ts';

/** INIT or VERSION: the version, and name and data of each extension (section 4). */
export interface Hello {
  readonly version: number;
  readonly extensions: readonly (readonly [name: string, data: string])[];
}

/** A client's first packet, or the server's. Throws `protocol-violation` for anything else. */
export function decodeHello(packet: Uint8Array, type: number): Hello {
  const fields = new Fields(packet);
  if (fields.byte() !== type) throw violation(`packet type ${packet[0]} before ${type === TYPE.init ? 'INIT' : 'VERSION'}`);
  const version = fields.uint32();
  const extensions: [string, string][] = [];
  while (!fields.isAtEnd) {
    if (extensions.length === maxExtensions) throw violation(`more than ${maxExtensions} extensions`);
    extensions.push([lossy.decode(fields.string()), lossy.decode(fields.string())]);
  }
  return { version, extensions };
}

/**
 * What a client asks after that. What is unknown or cannot be read is said so, since it has an id and can be refused in its place; a packet too short for an id throws
 * `protocol-violation`. Bytes behind the last field make a request malformed.
 */
export function decodeRequest(packet: Uint8Array): Request {
  const fields = new Fields(packet);
  const type = fields.byte();
  const id = fields.uint32();
  try {
    const request = readRequest(type, id, fields);
    if (request.kind !== 'unknown' && !fields.isAtEnd) throw violation('bytes behind the last field');
    return request;
  } catch (error) {
    if (!(error instanceof GatewayFault)) throw error;
    return { id, kind: 'malformed', what: `packet type ${type}: ${error.publicMessage}` };
  }
}

/** What a server answers. Throws `protocol-violation`. */
export function decodeAnswer(packet: Uint8Array): Answer {
  const fields = new Fields(packet);
  const type = fields.byte();
  const id = fields.uint32();
  switch (type) {
    case TYPE.status: {
      const code = fields.uint32();
      // Servers of version 2 and some of version 3 leave the text and its language out.
      const message = fields.isAtEnd ? '' : lossy.decode(fields.string());
      return { id, kind: 'status', code, message };
    }
    case TYPE.handle:
      return { id, kind: 'handle', handle: fields.handle() };
    case TYPE.data:
      return { id, kind: 'data', data: fields.string() };
    case TYPE.name: {
      const names: Name[] = [];
      for (let left = fields.uint32(); left > 0; left -= 1) {
        const name = fields.string();
        const longName = fields.string();
        names.push({ name, longName, attributes: fields.attributes().bytes });
      }
      return { id, kind: 'name', names };
    }
    case TYPE.attributes:
      return { id, kind: 'attributes', attributes: fields.attributes() };
    case TYPE.extendedReply:
      return { id, kind: 'extended-reply', bytes: fields.rest() };
    default:
      throw violation(`an answer of type ${type}`);
  }
}

/** A path as text; undefined where it is no UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The four numbers of an answer to `limits@openssh.com` (PROTOCOL section 4.8): packet, read, write, open handles. */
export function decodeLimits(bytes: Uint8Array): readonly bigint[] {
  const fields = new Fields(bytes);
  return [fields.uint64(), fields.uint64(), fields.uint64(), fields.uint64()];
}

function readRequest(type: number, id: number, fields: Fields): Request {
  const simple = pathRequests.get(type);
  if (simple !== undefined) return { id, kind: simple, path: fields.path() };
  switch (type) {
    case TYPE.open:
      return { id, kind: 'open', path: fields.path(), flags: openFlags(fields.uint32()), attributes: fields.attributes() };
    case TYPE.mkdir:
      return { id, kind: 'mkdir', path: fields.path(), attributes: fields.attributes() };
    case TYPE.setstat:
      return { id, kind: 'setstat', path: fields.path(), attributes: fields.attributes() };
    case TYPE.rename:
      return { id, kind: 'rename', from: fields.path(), to: fields.path() };
    case TYPE.symlink:
      return { id, kind: 'symlink', target: fields.path(), path: fields.path() };
    case TYPE.close:
      return { id, kind: 'close', handle: fields.handle() };
    case TYPE.fstat:
      return { id, kind: 'fstat', handle: fields.handle() };
    case TYPE.readdir:
      return { id, kind: 'readdir', handle: fields.handle() };
    case TYPE.read:
      return { id, kind: 'read', handle: fields.handle(), offset: fields.uint64(), length: fields.uint32() };
    case TYPE.write:
      return { id, kind: 'write', handle: fields.handle(), offset: fields.uint64(), data: fields.string() };
    case TYPE.fsetstat:
      return { id, kind: 'fsetstat', handle: fields.handle(), attributes: fields.attributes() };
    case TYPE.extended: {
      const name = lossy.decode(fields.string());
      const extension = readExtension(name, fields);
      return extension === undefined ? { id, kind: 'unknown', what: `extension ${name}` } : { id, kind: 'extended', extension };
    }
    default:
      return { id, kind: 'unknown', what: `packet type ${type}` };
  }
}

function openFlags(flags: number): number {
  if ((flags & ~knownOpenFlags) !== 0) throw violation(`open flags 0x${flags.toString(16)}`);
  return flags;
}

function readExtension(name: string, fields: Fields): Extension | undefined {
  switch (name) {
    case 'posix-rename@openssh.com':
    case 'hardlink@openssh.com':
      return { name, from: fields.path(), to: fields.path() };
    case 'statvfs@openssh.com':
    case 'expand-path@openssh.com':
      return { name, path: fields.path() };
    case 'home-directory':
      return { name, user: fields.path() };
    case 'lsetstat@openssh.com':
      return { name, path: fields.path(), attributes: fields.attributes() };
    case 'fstatvfs@openssh.com':
    case 'fsync@openssh.com':
      return { name, handle: fields.handle() };
    case 'limits@openssh.com':
      return { name };
    case 'copy-data': {
      const [from, fromOffset, length] = [fields.handle(), fields.uint64(), fields.uint64()];
      return { name, from, fromOffset, length, to: fields.handle(), toOffset: fields.uint64() };
    }
    case 'users-groups-by-id@openssh.com':
      return { name, users: fields.string(), groups: fields.string() };
    default:
      return undefined;
  }
}

/** Reads the fields of one packet in order (RFC 4251 section 5). */
class Fields {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#advance(8));
  }

  string(): Uint8Array {
    const length = this.uint32();
    const from = this.#advance(length);
    return this.#bytes.subarray(from, from + length);
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#advance(this.#bytes.length - this.#at));
  }

  handle(): Uint8Array {
    const handle = this.string();
    if (handle.length > maxHandleBytes) throw violation(`a handle of ${handle.length} bytes`);
    return handle;
  }

  path(): string {
    const bytes = this.string();
    if (bytes.length > maxPathBytes) throw violation(`a path of ${bytes.length} bytes, more than ${maxPathBytes}`);
    if (bytes.includes(0)) throw violation('a path with NUL');
    const path = textOf(bytes);
    if (path === undefined) throw violation('a path that is no UTF-8');
    return path;
  }

  attributes(): Attributes {
    const from = this.#at;
    const flags = this.uint32();
    if ((flags & ~knownAttributes) !== 0) throw violation(`attribute flags 0x${flags.toString(16)}`);
    const size = (flags & 1) === 0 ? undefined : this.uint64();
    const owner = (flags & 2) === 0 ? undefined : { user: this.uint32(), group: this.uint32() };
    const permissions = (flags & 4) === 0 ? undefined : this.uint32();
    const times = (flags & 8) === 0 ? undefined : { access: this.uint32(), modification: this.uint32() };
    if ((flags & extendedAttributes) !== 0) {
      for (let left = this.uint32(); left > 0; left -= 1) {
        this.string();
        this.string();
      }
    }
    return { size, owner, permissions, times, bytes: this.#bytes.subarray(from, this.#at) };
  }

  #advance(by: number): number {
    const at = this.#at;
    if (by > this.#bytes.length - at) throw violation('it ends before its last field');
    this.#at += by;
    return at;
  }
}

function violation(publicMessage: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage });
}

const pathRequests: ReadonlyMap<number, PathQuery | PathChange> = new Map<number, PathQuery | PathChange>([
  [TYPE.lstat, 'lstat'],
  [TYPE.stat, 'stat'],
  [TYPE.opendir, 'opendir'],
  [TYPE.readlink, 'readlink'],
  [TYPE.realpath, 'realpath'],
  [TYPE.remove, 'remove'],
  [TYPE.rmdir, 'rmdir'],
]);
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder('utf-8', { ignoreBOM: true });
const knownOpenFlags = 0x3f;
const extendedAttributes = 0x8000_0000;
const knownAttributes = 0x8000_000f | 0;
const maxExtensions = 64;

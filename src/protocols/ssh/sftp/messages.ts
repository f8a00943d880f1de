/**
 * Packets of the SSH File Transfer Protocol, version 3 (draft-ietf-secsh-filexfer-02), with the extensions of OpenSSH (its file PROTOCOL, section 4). Each is a `uint32` length, a
 * `byte` type, a `uint32` request id (but in INIT and VERSION), and fields by type.
 */
export const TYPE = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attributes: 105,
  extended: 200,
  extendedReply: 201,
} as const;

/** Section 7. */
export const STATUS = {
  ok: 0,
  endOfFile: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  noConnection: 6,
  connectionLost: 7,
  unsupported: 8,
} as const;

/** Bits of `pflags` (section 6.3). */
export const OPEN = { read: 0x01, write: 0x02, append: 0x04, create: 0x08, truncate: 0x10, exclusive: 0x20 } as const;

/** File attributes (section 5). `bytes`: as they came, which is how they go on. */
export interface Attributes {
  readonly size: bigint | undefined;
  readonly owner: { readonly user: number; readonly group: number } | undefined;
  readonly permissions: number | undefined;
  readonly times: { readonly access: number; readonly modification: number } | undefined;
  readonly bytes: Uint8Array;
}

/** What asks about one path. */
export type PathQuery = 'lstat' | 'stat' | 'opendir' | 'readlink' | 'realpath';
/** What changes one path and needs to know no more. */
export type PathChange = 'remove' | 'rmdir';
/** What asks about an open file. */
export type HandleQuery = 'fstat' | 'readdir' | 'close';

/** What a client asks. Views of the packet. Paths are text: one that is no UTF-8, or holds NUL, is not decoded. */
export type Request = { readonly id: number } & (
  | { readonly kind: PathQuery | PathChange; readonly path: string }
  | { readonly kind: 'open'; readonly path: string; readonly flags: number; readonly attributes: Attributes }
  | { readonly kind: 'mkdir' | 'setstat'; readonly path: string; readonly attributes: Attributes }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  /** `target`: what the link will hold. OpenSSH sends it first, against the draft (PROTOCOL section 4.1). */
  | { readonly kind: 'symlink'; readonly target: string; readonly path: string }
  | { readonly kind: HandleQuery; readonly handle: Uint8Array }
  | { readonly kind: 'read'; readonly handle: Uint8Array; readonly offset: bigint; readonly length: number }
  | { readonly kind: 'write'; readonly handle: Uint8Array; readonly offset: bigint; readonly data: Uint8Array }
  | { readonly kind: 'fsetstat'; readonly handle: Uint8Array; readonly attributes: Attributes }
  | { readonly kind: 'extended'; readonly extension: Extension }
  /** A type, or an extension, that is not known here. */
  | { readonly kind: 'unknown'; readonly what: string }
  /** A known one with fields that cannot be read. */
  | { readonly kind: 'malformed'; readonly what: string }
);

/** PROTOCOL, sections 4.2 to 4.12. */
export type Extension =
  | { readonly name: 'posix-rename@openssh.com' | 'hardlink@openssh.com'; readonly from: string; readonly to: string }
  | { readonly name: 'statvfs@openssh.com' | 'expand-path@openssh.com'; readonly path: string }
  | { readonly name: 'home-directory'; readonly user: string }
  | { readonly name: 'lsetstat@openssh.com'; readonly path: string; readonly attributes: Attributes }
  | { readonly name: 'fstatvfs@openssh.com' | 'fsync@openssh.com'; readonly handle: Uint8Array }
  | { readonly name: 'limits@openssh.com' }
  | {
      readonly name: 'copy-data';
      readonly from: Uint8Array;
      readonly fromOffset: bigint;
      readonly length: bigint;
      readonly to: Uint8Array;
      readonly toOffset: bigint;
    }
  | { readonly name: 'users-groups-by-id@openssh.com'; readonly users: Uint8Array; readonly groups: Uint8Array };

export type ExtensionName = Extension['name'];

/** Extensions that are passed on in VERSION, by the versions that are understood here. */
export const EXTENSIONS: ReadonlyMap<string, string> = new Map<ExtensionName, string>([
  ['posix-rename@openssh.com', '1'],
  ['statvfs@openssh.com', '2'],
  ['fstatvfs@openssh.com', '2'],
  ['hardlink@openssh.com', '1'],
  ['fsync@openssh.com', '1'],
  ['lsetstat@openssh.com', '1'],
  ['limits@openssh.com', '1'],
  ['expand-path@openssh.com', '1'],
  ['copy-data', '1'],
  ['home-directory', '1'],
  ['users-groups-by-id@openssh.com', '1'],
]);

/** What the server answers. Views of the packet. */
export type Answer = { readonly id: number } & (
  | { readonly kind: 'status'; readonly code: number; readonly message: string }
  | { readonly kind: 'handle'; readonly handle: Uint8Array }
  | { readonly kind: 'data'; readonly data: Uint8Array }
  | { readonly kind: 'name'; readonly names: readonly Name[] }
  | { readonly kind: 'attributes'; readonly attributes: Attributes }
  | { readonly kind: 'extended-reply'; readonly bytes: Uint8Array }
);

/** One entry of NAME (section 7): raw bytes, since names need not be UTF-8. */
export interface Name {
  readonly name: Uint8Array;
  readonly longName: Uint8Array;
  readonly attributes: Uint8Array;
}

/** As OpenSSH's own limit, SFTP_MAX_MSG_LENGTH: of a packet without its length field, bytes. */
export const maxPacketBytes = 256 * 1024;
/** What a READ or WRITE may carry at most, as OpenSSH has it: SFTP_MAX_READ_LENGTH, bytes. */
export const maxDataBytes = maxPacketBytes - 1024;
/** PATH_MAX of Linux, bytes. */
export const maxPathBytes = 4096;
/** What servers may choose at most (section 6.3), bytes. */
export const maxHandleBytes = 256;

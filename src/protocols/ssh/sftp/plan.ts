import type { Facts } from '../../../core/operation.ts';
import { packet } from './encode.ts';
import { OPEN, TYPE, type Attributes, type Extension, type PathChange, type PathQuery, type Request } from './messages.ts';
import { describeAttributes, fileActs, quoted, type FileQuestion } from './operation.ts';
import { canonicalPath, type FileObjects } from './path.ts';

/**
 * How a path is found out: `whole` follows every link, as the request itself will; `name` follows those of the folder, since the request is about the name in it; `new` as `whole`,
 * or as `name` where there is nothing yet. `expand` and `home` are answered by the server as REALPATH is.
 */
export type Finding = 'whole' | 'name' | 'new' | 'expand' | 'home';

/** What a request about paths comes to. */
export interface Plan {
  readonly id: number;
  readonly paths: readonly { readonly text: string; readonly finding: Finding }[];
  /** Something may be different afterwards, so that what is asked later about these paths comes later. */
  readonly changes: boolean;
  /** What kind of file it is has to be known as well. */
  readonly needsType: boolean;
  /** `found`: canonical paths, in order. `type`: what it is, where it is known. */
  question(found: readonly string[], type: FileType | undefined): FileQuestion;
  /** What goes to the target; undefined: the paths that were found are the answer. */
  packet: ((id: number, found: readonly string[]) => Uint8Array) | undefined;
  /** The answer is a handle. */
  readonly opens: OpenMode | undefined;
}

export type FileType = 'regular' | 'folder' | 'link' | 'device' | 'other';

export interface OpenMode {
  readonly kind: 'file' | 'folder';
  readonly reads: boolean;
  readonly writes: boolean;
  readonly appends: boolean;
}

type PathRequest = Extract<Request, { readonly kind: PathQuery | PathChange | 'open' | 'mkdir' | 'setstat' | 'rename' | 'symlink' }>;
type PathExtension = Extract<Extension, { readonly path: string } | { readonly from: string } | { readonly user: string }>;

/** `home`: where relative paths begin. */
export function planOf(request: PathRequest, objects: FileObjects, home: string): Plan {
  switch (request.kind) {
    case 'stat':
    case 'lstat':
    case 'readlink': {
      const type = { stat: TYPE.stat, lstat: TYPE.lstat, readlink: TYPE.readlink }[request.kind];
      const verb = { stat: 'look at', lstat: 'look at', readlink: 'look at link' }[request.kind];
      const finding = request.kind === 'stat' ? 'whole' : 'name';
      return onePath(
        request.id,
        request.path,
        finding,
        (path) => query(objects, path, verb),
        (id, path) => packet(type, id, path),
      );
    }
    case 'realpath':
      return { ...onePath(request.id, request.path, 'whole', (path) => query(objects, path, 'find'), never), packet: undefined };
    case 'opendir': {
      const opens = { kind: 'folder', reads: false, writes: false, appends: false } as const;
      const plan = onePath(
        request.id,
        request.path,
        'whole',
        (path) => query(objects, path, 'list'),
        (id, path) => packet(TYPE.opendir, id, path),
      );
      return { ...plan, opens };
    }
    case 'open':
      return openPlan(request.id, request.path, request.flags, request.attributes, objects);
    case 'remove':
      return change(
        request.id,
        request.path,
        (path) => ({ ...asked(path), acts: fileActs(objects, [path], 'ssh:remove-file'), text: `remove ${quoted(path)}` }),
        TYPE.remove,
      );
    case 'rmdir':
      return change(
        request.id,
        request.path,
        (path) => ({ ...asked(path), acts: fileActs(objects, [path], 'ssh:remove-folder'), text: `remove folder ${quoted(path)}` }),
        TYPE.rmdir,
      );
    case 'mkdir': {
      const { text, facts } = describeAttributes(request.attributes);
      const raw = request.attributes.bytes.slice();
      const question = (path: string): FileQuestion => ({
        ...asked(path, facts, raw),
        acts: fileActs(objects, [path], 'ssh:make-folder'),
        text: `make folder ${quoted(path)}${text === '' ? '' : ` (${text})`}`,
      });
      return { ...onePath(request.id, request.path, 'name', question, (id, path) => packet(TYPE.mkdir, id, path, { raw })), changes: true };
    }
    case 'setstat':
      return attributesPlan(request.id, request.path, 'whole', request.attributes, objects, (id, path, raw) =>
        packet(TYPE.setstat, id, path, { raw }),
      );
    case 'rename':
      return twoPaths(
        request.id,
        request.from,
        request.to,
        (from, to) => renaming(objects, from, to, false),
        (id, from, to) => packet(TYPE.rename, id, from, to),
      );
    case 'symlink':
      return symlinkPlan(request.id, request.target, request.path, objects, home);
    default:
      return request satisfies never;
  }
}

export function planOfExtension(id: number, extension: PathExtension, objects: FileObjects): Plan {
  switch (extension.name) {
    case 'posix-rename@openssh.com':
      return twoPaths(
        id,
        extension.from,
        extension.to,
        (from, to) => renaming(objects, from, to, true),
        (upstream, from, to) => packet(TYPE.extended, upstream, extension.name, from, to),
      );
    case 'hardlink@openssh.com':
      return twoPaths(
        id,
        extension.from,
        extension.to,
        (from, to) => ({
          ...asked(from, { link_target: from }),
          acts: fileActs(objects, [from, to], 'ssh:link-file'),
          text: `make ${quoted(to)} another name of ${quoted(from)}`,
        }),
        (upstream, from, to) => packet(TYPE.extended, upstream, extension.name, from, to),
      );
    case 'statvfs@openssh.com':
      return onePath(
        id,
        extension.path,
        'whole',
        (path) => query(objects, path, 'look at the file system of'),
        (upstream, path) => packet(TYPE.extended, upstream, extension.name, path),
      );
    case 'lsetstat@openssh.com':
      return attributesPlan(id, extension.path, 'name', extension.attributes, objects, (upstream, path, raw) =>
        packet(TYPE.extended, upstream, extension.name, path, { raw }),
      );
    case 'expand-path@openssh.com':
      return { ...onePath(id, extension.path, 'expand', (path) => query(objects, path, 'find'), never), packet: undefined };
    case 'home-directory':
      return { ...onePath(id, extension.user, 'home', (path) => query(objects, path, 'find'), never), packet: undefined };
    default:
      return extension satisfies never;
  }
}

/** Attributes of an open file. */
export function attributesQuestion(objects: FileObjects, path: string, attributes: Attributes): FileQuestion {
  const { text, facts } = describeAttributes(attributes);
  const actions =
    attributes.size === undefined ? (['ssh:set-file-attributes'] as const) : (['ssh:set-file-attributes', 'ssh:write-file'] as const);
  return {
    ...asked(path, facts, attributes.bytes.slice()),
    acts: fileActs(objects, [path], ...actions),
    text: `set of ${quoted(path)}: ${text}`,
  };
}

/** From one open file to another, at the target. */
export function copyQuestion(
  objects: FileObjects,
  from: string,
  to: string,
  [fromOffset, length, toOffset]: readonly [bigint, bigint, bigint],
): FileQuestion {
  const range =
    fromOffset === 0n && length === 0n && toOffset === 0n
      ? ''
      : ` (${length === 0n ? 'all' : length} from ${fromOffset} on, to ${toOffset})`;
  return {
    ...asked(from),
    acts: [...fileActs(objects, [from], 'ssh:read-file'), ...fileActs(objects, [to], 'ssh:write-file')],
    text: `copy ${quoted(from)} to ${quoted(to)}${range}`,
  };
}

function openPlan(id: number, path: string, flags: number, attributes: Attributes, objects: FileObjects): Plan {
  const names = (Object.keys(OPEN) as (keyof typeof OPEN)[]).filter((name) => (flags & OPEN[name]) !== 0);
  const has = (name: keyof typeof OPEN): boolean => names.includes(name);
  const writes = names.some((name) => name !== 'read');
  const opens: OpenMode = { kind: 'file', reads: has('read'), writes, appends: has('append') };
  const described = describeAttributes(attributes);
  const raw = attributes.bytes.slice();
  const question = (found: string, type: FileType | undefined): FileQuestion => {
    const how = names.filter((name) => name !== 'read' && name !== 'write').join(', ');
    const details = [how, writes ? described.text : ''].filter((detail) => detail !== '').join('; ');
    const verb = !writes ? 'read' : opens.reads ? 'read and write' : 'write';
    return {
      ...asked(
        found,
        { opens: names, ...(writes ? described.facts : {}), ...(type === undefined ? {} : { file_type: type }) },
        flagBytes(flags),
        raw,
      ),
      acts: [
        ...(opens.reads || !writes ? fileActs(objects, [found], 'ssh:read-file') : []),
        ...(writes ? fileActs(objects, [found], 'ssh:write-file') : []),
      ],
      // A device or a pipe may notice that it is read.
      pureRead: !writes && (type === 'regular' || type === 'folder'),
      text: `${verb} ${quoted(found)}${details === '' ? '' : ` (${details})`}`,
    };
  };
  return {
    id,
    // With `exclusive` no link is followed in the last place (open(2), O_EXCL).
    paths: [{ text: path, finding: !has('create') ? 'whole' : has('exclusive') ? 'name' : 'new' }],
    changes: writes,
    needsType: true,
    question: (found, type) => question(found[0]!, type),
    packet: (upstream, found) => packet(TYPE.open, upstream, found[0]!, flags, { raw }),
    opens,
  };
}

function symlinkPlan(id: number, target: string, path: string, objects: FileObjects, home: string): Plan {
  return {
    id,
    paths: [{ text: path, finding: 'name' }],
    changes: true,
    needsType: false,
    question: ([found]) => {
      // Where the link would lead, as its text tells: what is reached over it is found out when it is used.
      const leadsTo = canonicalPath(target, canonicalPath('..', found ?? home));
      return {
        ...asked(found!, { link_target: target }, target),
        acts: fileActs(objects, [found!, leadsTo], 'ssh:link-file'),
        text: `make ${quoted(found!)} a link to ${quoted(target)}`,
      };
    },
    packet: (upstream, [found]) => packet(TYPE.symlink, upstream, target, found!),
    opens: undefined,
  };
}

function attributesPlan(
  id: number,
  path: string,
  finding: Finding,
  attributes: Attributes,
  objects: FileObjects,
  toPacket: (id: number, path: string, raw: Uint8Array) => Uint8Array,
): Plan {
  const kept = { ...attributes, bytes: attributes.bytes.slice() };
  const question = (found: string): FileQuestion => attributesQuestion(objects, found, kept);
  return { ...onePath(id, path, finding, question, (upstream, found) => toPacket(upstream, found, kept.bytes)), changes: true };
}

function renaming(objects: FileObjects, from: string, to: string, overwrites: boolean): FileQuestion {
  return {
    ...asked(from, { overwrites }),
    acts: [...fileActs(objects, [from, to], 'ssh:rename-file'), ...(overwrites ? fileActs(objects, [to], 'ssh:remove-file') : [])],
    text: `rename ${quoted(from)} to ${quoted(to)}${overwrites ? ', in place of what is there' : ''}`,
  };
}

function change(id: number, path: string, question: (path: string) => FileQuestion, type: number): Plan {
  return { ...onePath(id, path, 'name', question, (upstream, found) => packet(type, upstream, found)), changes: true };
}

function onePath(
  id: number,
  text: string,
  finding: Finding,
  question: (path: string) => FileQuestion,
  toPacket: (id: number, path: string) => Uint8Array,
): Plan {
  return {
    id,
    paths: [{ text, finding }],
    changes: false,
    needsType: false,
    question: ([path]) => question(path!),
    packet: (upstream, [path]) => toPacket(upstream, path!),
    opens: undefined,
  };
}

function twoPaths(
  id: number,
  from: string,
  to: string,
  question: (from: string, to: string) => FileQuestion,
  toPacket: (id: number, from: string, to: string) => Uint8Array,
): Plan {
  return {
    id,
    paths: [
      { text: from, finding: 'name' },
      { text: to, finding: 'name' },
    ],
    changes: true,
    needsType: false,
    question: ([first, second]) => question(first!, second!),
    packet: (upstream, [first, second]) => toPacket(upstream, first!, second!),
    opens: undefined,
  };
}

function query(objects: FileObjects, path: string, verb: string): FileQuestion {
  return { ...asked(path), acts: fileActs(objects, [path], 'ssh:list-files'), pureRead: true, text: `${verb} ${quoted(path)}` };
}

function asked(path: string, facts: Facts = {}, ...exact: readonly (string | Uint8Array)[]): Omit<FileQuestion, 'acts' | 'text'> {
  return { facts: { transfer: 'sftp', path, ...facts }, pureRead: false, exact };
}

function flagBytes(flags: number): string {
  return flags.toString(16);
}

function never(): Uint8Array {
  return new Uint8Array(0);
}

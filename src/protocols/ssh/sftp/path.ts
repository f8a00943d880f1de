import type { ObjectRef } from '../../../core/operation.ts';
import { RecentMap } from '../../../core/recent-map.ts';

/**
 * The absolute path without `.`, `..`, `//` and a trailing `/`, as text alone tells it: relative ones from `base`, which is canonical. What links on the server make of it
 * only the server can tell.
 */
export function canonicalPath(path: string, base: string): string {
  const segments: string[] = [];
  for (const segment of `${path.startsWith('/') ? '' : base}/${path}`.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') segments.pop();
    else segments.push(segment);
  }
  return `/${segments.join('/')}`;
}

/** The folder in which a name stands, and the name; undefined where the last segment is none (`/`, `.`, `..`). */
export function nameIn(path: string): { readonly folder: string; readonly name: string } | undefined {
  const trimmed = path.replace(/\/+$/, '');
  const at = trimmed.lastIndexOf('/');
  const name = trimmed.slice(at + 1);
  if (name === '' || name === '.' || name === '..') return undefined;
  return { folder: at < 0 ? '.' : at === 0 ? '/' : trimmed.slice(0, at), name };
}

export function joinedPath(folder: string, name: string): string {
  return folder === '/' ? `/${name}` : `${folder}/${name}`;
}

/** One of them is the other, or lies in it. */
export function areRelated(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return long.startsWith(short) && (long.length === short.length || short === '/' || long[short.length] === '/');
}

/** The files of one target for policy: `File::"web-1/etc/passwd"` in `File::"web-1/etc"` in `File::"web-1/"`. */
export class FileObjects {
  readonly #target: string;
  readonly #known = new RecentMap<string, ObjectRef>(knownObjects);

  constructor(target: string) {
    this.#target = target;
  }

  /** `path`: canonical. */
  of(path: string): ObjectRef {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const at = path.lastIndexOf('/');
    const folder = path === '/' ? undefined : this.of(at <= 0 ? '/' : path.slice(0, at));
    const made: ObjectRef = { type: 'File', id: `${this.#target}${path}`, parents: folder === undefined ? [] : [folder] };
    this.#known.set(path, made);
    return made;
  }
}

const knownObjects = 1024;

/** What a path and a method mean (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris). */
export interface RequestInfo {
  readonly verb: string;
  /** Undefined: a path that is no resource (`/version`). */
  readonly resource: ResourceRequest | undefined;
  readonly path: string;
}

export interface ResourceRequest {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** Empty: none, or all of them. */
  readonly namespace: string;
  readonly name: string;
  /** What stands behind `proxy`. */
  readonly rest: string;
}

export function readRequest(method: string, url: URL): RequestInfo {
  const path = url.pathname;
  const segments = path
    .split('/')
    .slice(1)
    .map((segment) => decodeURIComponent(segment));
  const isCore = segments[0] === 'api';
  const [group, version, ...rest] = isCore
    ? ['', segments[1] ?? '', ...segments.slice(2)]
    : [segments[1] ?? '', segments[2] ?? '', ...segments.slice(3)];
  if ((segments[0] !== 'api' && segments[0] !== 'apis') || rest.length === 0 || rest[0] === '') {
    return { verb: method.toLowerCase(), resource: undefined, path };
  }
  const isOldWatch = rest[0] === 'watch';
  if (isOldWatch) rest.shift();
  let namespace = '';
  if (rest[0] === 'namespaces' && rest[1] !== undefined) {
    namespace = rest[1];
    if (rest.length > 2 && !['status', 'finalize'].includes(rest[2]!)) rest.splice(0, 2);
  }
  const [resource = '', name = '', subresource = '', ...behind] = rest;
  const selected = resource === 'namespaces' ? name : namespace;
  const isWatch = isOldWatch || ['true', '1'].includes(url.searchParams.get('watch') ?? '');
  const verb = verbOf(method, name, subresource, isWatch);
  const named = name === '' && (verb === 'list' || verb === 'watch') ? nameSelected(url.searchParams.get('fieldSelector') ?? '') : name;
  return { verb, resource: { group, version, resource, subresource, namespace: selected, name: named, rest: behind.join('/') }, path };
}

/** A collection narrowed to one name is, for authorization, that object. */
function nameSelected(fieldSelector: string): string {
  const exact = fieldSelector.split(',').flatMap((part) => /^metadata\.name={1,2}([^/%]+)$/.exec(part)?.[1] ?? []);
  return exact.length === 1 ? exact[0]! : '';
}

function verbOf(method: string, name: string, subresource: string, isWatch: boolean): string {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (subresource === '' && isWatch) return 'watch';
      return name === '' ? 'list' : 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name === '' ? 'deletecollection' : 'delete';
    default:
      return method.toLowerCase();
  }
}

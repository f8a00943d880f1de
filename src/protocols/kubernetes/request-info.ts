import { GatewayFault } from '../../core/fault.ts';
import type { CanonicalTarget, QueryParameter } from '../http/path.ts';

/** Kubernetes' verbs, as its authorisation knows them. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** What a request is about. */
export type RequestInfo = ResourceRequest | PathRequest;

export interface ResourceRequest {
  readonly kind: 'resource';
  readonly verb: Verb;
  /** Empty for the core group (`/api`). */
  readonly group: string;
  readonly version: string;
  /** Empty for what belongs to no namespace, and over all namespaces. Of a namespace itself its own name. */
  readonly namespace: string;
  /** Plural, such as `pods`. */
  readonly resource: string;
  /** Empty where no single object is named. Of `proxy` with scheme and port, as it was sent: `https:web-1:8443`. */
  readonly name: string;
  readonly subresource: string;
  /** What comes behind the subresource. Only with `proxy`. */
  readonly rest: readonly string[];
}

/** What names no resource: discovery, health, metrics. */
export interface PathRequest {
  readonly kind: 'path';
  /** Decoded, without a slash at the end; `/` for the root. */
  readonly path: string;
}

/**
 * Reads a request as the API server does before it authorises it (`RequestInfoFactory` of k8s.io/apiserver,
 * `pkg/endpoints/request/requestinfo.go`), with prefixes `/api` (no group) and `/apis`. Where that leaves a meaning open, it is refused:
 *
 * | refused | because |
 * |---|---|
 * | methods besides GET, HEAD, POST, PUT, PATCH, DELETE | they have no verb |
 * | `/api/v1/proxy/…` | removed from Kubernetes in 1.10; the same as the subresource |
 * | `/api/v1/watch/…` with another method than GET | the verb would be `watch`, and the handler another |
 * | more path behind a subresource, save for `proxy` | nobody authorises it |
 * | parameters that decide something, given twice | the first counts here and the last elsewhere |
 */
export function requestInfo(method: string, target: CanonicalTarget): RequestInfo | GatewayFault {
  const parts = target.decodedPath.split('/').filter((part) => part !== '');
  const [prefix = ''] = parts;
  const grouped = prefix === 'apis';
  if ((prefix !== 'api' && !grouped) || parts.length < (grouped ? 4 : 3)) {
    return { kind: 'path', path: `/${parts.join('/')}` };
  }
  const [group, version = '', ...more] = grouped ? parts.slice(1) : ['', ...parts.slice(1)];
  if (more[0] === 'proxy') return unclassified('the path begins with /proxy, which Kubernetes does not have any more');
  const watches = more[0] === 'watch';
  const places = watches ? more.slice(1) : more;
  if (places.length === 0) return unclassified('the path names no resource');
  const isRead = method === 'GET' || method === 'HEAD';
  if (watches && !isRead) return unclassified('only GET is for /watch');
  const repeated = DECISIVE.find((name) => target.parameters.filter((parameter) => parameter.name === name).length > 1);
  if (repeated !== undefined) return unclassified(`the parameter ${repeated} is given twice`);

  let namespace = '';
  let own = places;
  if (places[0] === 'namespaces' && places.length > 1) {
    namespace = places[1]!;
    if (places.length > 2 && !OF_NAMESPACES.has(places[2]!)) own = places.slice(2);
  }
  const [resource = '', named = '', subresource = '', ...rest] = own;
  if (rest.length > 0 && subresource !== 'proxy') return unclassified('the path goes on behind a subresource');
  const strange = [
    ['group', group!, GROUP],
    ['version', version, LABEL],
    ['namespace', namespace, namespace === '' ? ANY : LABEL],
    ['resource', resource, LABEL],
    ['subresource', subresource, subresource === '' ? ANY : LABEL],
    ['name', named, NAME],
  ].find(([, text, form]) => !(form as RegExp).test(text as string));
  if (strange !== undefined) return unclassified(`the ${strange[0] as string} has characters that none has`);
  const verb = watches ? 'watch' : verbOf(method, named, target.parameters);
  if (verb === undefined) return unclassified(`${method} has no meaning for a resource`);
  const name = named === '' && (verb === 'list' || verb === 'watch' || verb === 'deletecollection') ? selected(target.parameters) : named;
  return { kind: 'resource', verb, group: group!, version, namespace, resource, name, subresource, rest };
}

/** `pods`, `deployments.apps`: a resource by its group, as Kubernetes' own tools write it. */
export function groupResource({ group, resource }: Pick<ResourceRequest, 'group' | 'resource'>): string {
  return group === '' ? resource : `${resource}.${group}`;
}

/** The first value of a parameter of the query. */
export function parameterOf(parameters: readonly QueryParameter[], name: string): string | undefined {
  return parameters.find((parameter) => parameter.name === name)?.value;
}

/** As the API server reads a flag in the query (`Convert_Slice_string_To_bool`): whatever is there and is not `false` or `0`. */
export function flagOf(parameters: readonly QueryParameter[], name: string): boolean {
  const value = parameterOf(parameters, name)?.toLowerCase();
  return value !== undefined && value !== 'false' && value !== '0';
}

function verbOf(method: string, name: string, parameters: readonly QueryParameter[]): Verb | undefined {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (name !== '') return 'get';
      return flagOf(parameters, 'watch') ? 'watch' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name === '' ? 'deletecollection' : 'delete';
    default:
      return undefined;
  }
}

/** The name that a field selector asks for: `metadata.name=web-1`, also among other terms. */
function selected(parameters: readonly QueryParameter[]): string {
  const terms = selectorTerms(parameterOf(parameters, 'fieldSelector') ?? '');
  const name = terms.find((term) => term.field === 'metadata.name' && term.isEqual)?.value ?? '';
  return NAME.test(name) ? name : '';
}

export interface SelectorTerm {
  readonly field: string;
  readonly isEqual: boolean;
  readonly value: string;
}

/** Terms of a field selector (k8s.io/apimachinery `pkg/fields`): `a=b`, `a==b`, `a!=b`, with a comma between; a backslash escapes `,`, `=` and itself. */
export function selectorTerms(selector: string): readonly SelectorTerm[] {
  return (selector.match(/(?:\\.|[^,\\])+/gs) ?? []).map((term) => {
    const [, field = term, operator = '', value = ''] = /^((?:\\.|[^=!\\])*)(!=|==|=)(.*)$/s.exec(term) ?? [];
    return { field: field.trim(), isEqual: operator === '=' || operator === '==', value: value.replaceAll(/\\(.)/gs, '$1') };
  });
}

function unclassified(why: string): GatewayFault {
  return new GatewayFault('unclassified', { publicMessage: `the request is not one of the Kubernetes API: ${why}` });
}

const OF_NAMESPACES: ReadonlySet<string> = new Set(['status', 'finalize']);
/** What decides about verb, object, facts or answer. `command` and `ports` may be given often, as that is what they are for. */
const DECISIVE = [
  'watch',
  'fieldSelector',
  'labelSelector',
  'dryRun',
  'force',
  'container',
  'tty',
  'stdin',
  'stdout',
  'stderr',
  'follow',
  'previous',
  'includeObject',
  'pretty',
  'resourceVersionMatch',
] as const;
const GROUP = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)?$/;
const LABEL = /^[a-z0-9](?:[a-z0-9_-]{0,251}[a-z0-9])?$/;
/** What may be one segment of a path (`ValidatePathSegmentName`), without white space and control characters. */
const NAME = /^(?!\.{1,2}$)[^\s/%\p{Cc}]{0,253}$/u;
const ANY = /^$/;

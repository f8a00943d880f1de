import type { Act, FactValue, Facts, ObjectRef } from '../../core/operation.ts';
import type { CanonicalTarget } from '../http/path.ts';
import type { HeaderField } from '../request.ts';
import { proxiedName } from './acts.ts';
import type { SentBody } from './body.ts';
import { execOptions } from './exec-options.ts';
import { patchedPodFacts, readPatch } from './patch.ts';
import { debugFacts, describedPodFacts, livePodFacts, unknownPod, type PodFacts } from './pod-facts.ts';
import { flagOf, parameterOf, type ResourceRequest } from './request-info.ts';

/** What policy is asked. */
export interface Question {
  readonly acts: readonly Act[];
  readonly facts: Facts;
}

/** A pod as it runs, read from the API server before the decision; undefined where it was not read, or there is none. */
export type LivePod = unknown;

/** The facts of a request about a resource. */
export function resourceFacts(info: ResourceRequest, method: string, target: CanonicalTarget, body: SentBody, pod: LivePod): Facts {
  const name = info.subresource === 'proxy' ? proxiedName(info.name) : { name: info.name, port: '' };
  const { parameters } = target;
  const writes = !isStream(info) && info.verb !== 'get' && info.verb !== 'list' && info.verb !== 'watch';
  return known({
    method,
    path: target.decodedPath,
    query_parameters: nonEmpty([...new Set(parameters.map((parameter) => parameter.name))]),
    api_group: info.group,
    api_version: info.version,
    verb: info.verb,
    resource: info.resource,
    subresource: text(info.subresource),
    namespace: text(info.namespace),
    name: text(name.name),
    destination_port: portOf(name.port),
    dry_run: writes ? isDryRun(parameters, body) : undefined,
    force: info.verb === 'patch' ? flagOf(parameters, 'force') : undefined,
    unbounded:
      info.verb === 'deletecollection'
        ? !parameters.some(({ name, value }) => SELECTORS.has(name) && value !== '') && info.name === ''
        : undefined,
    audiences: info.subresource === 'token' ? nonEmpty(stringsAt(body, ['spec', 'audiences'])) : undefined,
    ...ofStream(info, target),
    ...ofPods(podFacts(info, target, body, pod)),
  });
}

/** Whom the client says that it wants to be taken for, in any spelling that servers read (`Impersonate-User`). */
export function impersonation(fields: readonly HeaderField[]): { readonly user: string; readonly groups: readonly string[] } | undefined {
  const spelled = fields.map(({ name, value }) => ({ name: name.replaceAll(/[^a-z0-9]/g, '-'), value }));
  const named = spelled.filter(({ name }) => name.startsWith('impersonate-'));
  if (named.length === 0) return undefined;
  return {
    user: named.find(({ name }) => name === 'impersonate-user')?.value ?? '',
    groups: named.filter(({ name }) => name === 'impersonate-group').map(({ value }) => value),
  };
}

/** Every text of a question as `shown` shows it. */
export function mapQuestion({ acts, facts }: Question, shown: (text: string) => string): Question {
  const ofObject = ({ type, id, parents }: ObjectRef): ObjectRef => ({
    type,
    id: shown(id),
    ...(parents === undefined ? {} : { parents: parents.map(ofObject) }),
  });
  const ofFact = (value: FactValue): FactValue => {
    if (typeof value === 'string') return shown(value);
    return typeof value === 'object' ? value.map(shown) : value;
  };
  return {
    acts: acts.map(({ action, object }) => ({ action, object: ofObject(object) })),
    facts: Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, ofFact(value)])),
  };
}

/** Streams into a pod that exists. */
export function isStream({ resource, group, subresource }: ResourceRequest): boolean {
  return group === '' && resource === 'pods' && STREAMS.has(subresource);
}

/** What is asked of a pod that exists, so that it has to be read first. */
export function needsPod(info: ResourceRequest): boolean {
  if (info.group !== '' || info.resource !== 'pods' || info.name === '' || info.namespace === '') return false;
  return isStream(info) || (info.subresource === 'ephemeralcontainers' && (info.verb === 'update' || info.verb === 'patch'));
}

function podFacts(info: ResourceRequest, target: CanonicalTarget, body: SentBody, pod: LivePod): PodFacts | undefined {
  if (isStream(info)) {
    const { container } = execOptions(target.parameters);
    return pod === undefined ? unknownPod : (livePodFacts(pod, info.subresource === 'portforward' ? '' : container) ?? unknownPod);
  }
  if (body.kind === 'none' || body.kind === 'unseen' || info.verb === 'delete' || info.verb === 'deletecollection') return undefined;
  if (info.subresource === 'ephemeralcontainers') {
    return body.kind === 'operations' || pod === undefined ? unknownPod : debugFacts(pod, body.value);
  }
  if (body.hidesPods) return unknownPod;
  if (body.kind !== 'operations') return describedPodFacts(body.value, body.kind === 'merge');
  const operations = readPatch(body.value);
  return operations === undefined ? unknownPod : patchedPodFacts(operations);
}

function ofPods(facts: PodFacts | undefined): PossibleFacts {
  if (facts === undefined) return {};
  return {
    privileged: facts.privileged,
    runs_as_root: facts.runsAsRoot,
    host_access: facts.hostAccess,
    host_paths: nonEmpty(facts.hostPaths),
    capabilities: nonEmpty(facts.capabilities),
    images: nonEmpty(facts.images),
    service_account: facts.serviceAccounts[0],
  };
}

function ofStream(info: ResourceRequest, target: CanonicalTarget): PossibleFacts {
  if (info.subresource === 'log') return { container: parameterOf(target.parameters, 'container') };
  if (!isStream(info)) return {};
  const { container, argv, stdin, tty, ports } = execOptions(target.parameters);
  if (info.subresource === 'portforward')
    return { ports: nonEmpty(ports.map(String)), destination_port: ports.length === 1 ? ports[0] : undefined };
  return {
    container: text(container),
    stdin,
    terminal: tty,
    ...(info.subresource === 'exec' ? { argv: [...new Set(argv)], command: argv.join(' '), program: argv[0] ?? '' } : {}),
  };
}

/** By the query; of what is deleted or evicted also by the options in the body, which count where there are any. */
function isDryRun(parameters: CanonicalTarget['parameters'], body: SentBody): boolean {
  if (parameterOf(parameters, 'dryRun') === 'All') return true;
  return [stringsAt(body, ['dryRun']), stringsAt(body, ['deleteOptions', 'dryRun'])].some((all) => all.includes('All'));
}

function stringsAt(body: SentBody, path: readonly string[]): readonly string[] {
  let value: unknown = body.kind === 'object' ? body.value : undefined;
  for (const step of path) value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[step] : undefined;
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

function portOf(port: string): number | undefined {
  return /^\d{1,5}$/.test(port) ? Number(port) : undefined;
}

type PossibleFacts = Readonly<Record<string, FactValue | undefined>>;

function known(facts: PossibleFacts): Facts {
  return Object.fromEntries(Object.entries(facts).filter((entry): entry is [string, FactValue] => entry[1] !== undefined));
}

function text(value: string): string | undefined {
  return value === '' ? undefined : value;
}

function nonEmpty(values: readonly string[]): readonly string[] | undefined {
  return values.length === 0 ? undefined : values;
}

const SELECTORS: ReadonlySet<string> = new Set(['labelSelector', 'fieldSelector']);
const STREAMS: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward']);

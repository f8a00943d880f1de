/**
 * What a pod may do to the node that it runs on, as policy is told it (Kubernetes API, core/v1 `PodSpec`; Pod Security Standards).
 *
 * | fact | true where |
 * |---|---|
 * | `privileged` | a container has `securityContext.privileged`, or is a HostProcess container of Windows |
 * | `runs_as_root` | a container's `runAsUser`, else the pod's, is 0; or neither is set and neither `runAsNonRoot`: then the image says it, and nobody knows |
 * | `host_access` | `hostNetwork`, `hostPID`, `hostIPC`, a volume `hostPath`, or a container's `hostPort` |
 *
 * Anything but a plain `false` or nothing at all counts as true: the API server refuses what has another type, and a later one may not.
 */
export interface PodFacts {
  readonly privileged: boolean;
  /** Undefined: of a patch that touches neither containers nor security contexts. */
  readonly runsAsRoot: boolean | undefined;
  readonly hostAccess: boolean;
  readonly hostPaths: readonly string[];
  readonly capabilities: readonly string[];
  readonly images: readonly string[];
  readonly serviceAccounts: readonly string[];
}

/** Of a pod that exists (`GET pod`), for one container or, with an empty name, for any. Undefined where it has no such container. */
export function livePodFacts(pod: unknown, container: string): PodFacts | undefined {
  const spec = asObject(asObject(pod)?.['spec']);
  if (spec === undefined) return undefined;
  const all = containersOf(spec);
  const chosen = container === '' ? all : all.filter((one) => one['name'] === container);
  return chosen.length === 0 ? undefined : factsOf([{ spec, containers: chosen }], false);
}

/** Of the containers that `kubectl debug` puts into a pod that exists. */
export function debugFacts(pod: unknown, patch: unknown): PodFacts {
  const live = asObject(asObject(pod)?.['spec']);
  const containers = asObjects(asObject(asObject(patch)?.['spec'])?.['ephemeralContainers']);
  if (live === undefined || containers.length === 0) return unknownPod;
  return factsOf([{ spec: live, containers }], false);
}

/**
 * Of every pod that a document describes, wherever it stands in it: pods, and the templates of Deployments, Jobs and whatever kinds operators bring. Undefined
 * where there is none. `isPatch`: what is missing stays as it is, so that `runs_as_root` is known only where the document touches what decides it.
 */
export function describedPodFacts(document: unknown, isPatch: boolean): PodFacts | undefined {
  const specs: Described[] = [];
  collect(document, '', specs, 0);
  return specs.length === 0 ? undefined : factsOf(specs, isPatch);
}

/** Where the result of a patch cannot be told. */
export const unknownPod: PodFacts = {
  privileged: true,
  runsAsRoot: true,
  hostAccess: true,
  hostPaths: [],
  capabilities: [],
  images: [],
  serviceAccounts: [],
};

export function joinedFacts(facts: readonly PodFacts[]): PodFacts | undefined {
  const [first, ...more] = facts;
  if (first === undefined) return undefined;
  return more.reduce(
    (a, b) => ({
      privileged: a.privileged || b.privileged,
      runsAsRoot: a.runsAsRoot === undefined ? b.runsAsRoot : a.runsAsRoot || b.runsAsRoot === true,
      hostAccess: a.hostAccess || b.hostAccess,
      hostPaths: union(a.hostPaths, b.hostPaths),
      capabilities: union(a.capabilities, b.capabilities),
      images: union(a.images, b.images),
      serviceAccounts: union(a.serviceAccounts, b.serviceAccounts),
    }),
    first,
  );
}

interface Described {
  readonly spec: Json;
  readonly containers: readonly Json[];
}

type Json = Readonly<Record<string, unknown>>;

function factsOf(described: readonly Described[], isPatch: boolean): PodFacts {
  const facts = described.map(({ spec, containers }): PodFacts => {
    const context = asObject(spec['securityContext']);
    const volumes = asObjects(spec['volumes']);
    const hostPaths = volumes.flatMap((volume) => {
      const source = volume['hostPath'];
      const path = asObject(source)?.['path'];
      return isSet(source) ? [typeof path === 'string' ? path : ''] : [];
    });
    return {
      privileged: isSet(asObject(context?.['windowsOptions'])?.['hostProcess']) || containers.some(isPrivileged),
      runsAsRoot: runsAsRoot(spec, containers, isPatch),
      hostAccess:
        hostPaths.length > 0 ||
        HOST.some((name) => isSet(spec[name])) ||
        containers.some((one) => asObjects(one['ports']).some(hasHostPort)),
      hostPaths,
      capabilities: union(containers.flatMap(addedCapabilities), []),
      images: union(
        containers.flatMap(({ image }) => (typeof image === 'string' ? [image] : [])),
        [],
      ),
      serviceAccounts: ['serviceAccountName', 'serviceAccount']
        .flatMap((name) => (typeof spec[name] === 'string' ? [spec[name]] : []))
        .slice(0, 1),
    };
  });
  return joinedFacts(facts)!;
}

function runsAsRoot(spec: Json, containers: readonly Json[], isPatch: boolean): boolean | undefined {
  if (isPatch && containers.length === 0 && !('securityContext' in spec)) return undefined;
  const ofPod = asObject(spec['securityContext']);
  if (containers.length === 0) return isRoot(undefined, ofPod);
  return containers.some((container) => isRoot(asObject(container['securityContext']), ofPod));
}

function isRoot(own: Json | undefined, ofPod: Json | undefined): boolean {
  const user = own?.['runAsUser'] ?? ofPod?.['runAsUser'];
  if (user !== undefined && user !== null) return typeof user !== 'number' || user === 0;
  return (own?.['runAsNonRoot'] ?? ofPod?.['runAsNonRoot']) !== true;
}

function isPrivileged(container: Json): boolean {
  const context = asObject(container['securityContext']);
  return isSet(context?.['privileged']) || isSet(asObject(context?.['windowsOptions'])?.['hostProcess']);
}

function addedCapabilities(container: Json): readonly string[] {
  const added = asObject(asObject(container['securityContext'])?.['capabilities'])?.['add'];
  // The container runtime takes them with and without the prefix, in either case.
  return Array.isArray(added) ? added.map((one) => String(one).toUpperCase().replace(/^CAP_/, '')) : [];
}

function hasHostPort(port: Json): boolean {
  return isSet(port['hostPort']) && port['hostPort'] !== 0;
}

/** Pods are known by their containers, or by what only they have; in a patch also by what stands in a `spec`. */
function collect(node: unknown, name: string, into: Described[], depth: number): void {
  if (depth > DEEPEST || into.length > MOST) {
    // Nobody looks further: taken for the worst.
    into.push(WORST);
    return;
  }
  if (Array.isArray(node)) {
    for (const item of node) collect(item, name, into, depth + 1);
    return;
  }
  const object = asObject(node);
  if (object === undefined) return;
  if (isPodSpec(object) || (name === 'spec' && OF_SPECS.some((member) => member in object))) {
    into.push({ spec: object, containers: containersOf(object) });
  }
  for (const [member, value] of Object.entries(object)) collect(value, member, into, depth + 1);
}

function isPodSpec(object: Json): boolean {
  return OF_PODS.some((name) => Array.isArray(object[name])) || HOST.some((name) => name in object) || hasPodVolumes(object);
}

function hasPodVolumes(object: Json): boolean {
  return asObjects(object['volumes']).some((volume) => 'hostPath' in volume);
}

function containersOf(spec: Json): readonly Json[] {
  return OF_PODS.flatMap((name) => asObjects(spec[name]));
}

function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function asObjects(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(asObject).filter((one) => one !== undefined) : [];
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false;
}

function union(a: readonly string[], b: readonly string[]): readonly string[] {
  return [...new Set([...a, ...b])];
}

const OF_PODS = ['containers', 'initContainers', 'ephemeralContainers'] as const;
const HOST = ['hostNetwork', 'hostPID', 'hostIPC'] as const;
const OF_SPECS = ['securityContext', 'serviceAccountName', 'serviceAccount'] as const;
const WORST: Described = { spec: { hostPID: true }, containers: [{ securityContext: { privileged: true } }] };
const DEEPEST = 64;
const MOST = 256;

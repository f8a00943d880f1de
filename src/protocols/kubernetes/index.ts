import { bearerOf } from '../http/identify.ts';
import { canonicalTarget } from '../http/path.ts';
import type { RequestProtocol } from '../request.ts';
import { askKubernetes, readsKubernetes } from './ask.ts';
import type { KubernetesEnvironment } from './environment.ts';
import { statusOf } from './fault.ts';

export type { KubernetesEnvironment, KubernetesTarget } from './environment.ts';

export const kubernetesProtocol = {
  name: 'kubernetes',
  place: 'k8s',
  recognises: ({ fields }) =>
    fields.some(({ name, value }) => name === 'kubectl-command' || (name === 'user-agent' && KUBECTL.test(value))),
  identify: bearerOf,
  // As much as the API server takes in JSON (`MaxRequestBodyBytes`).
  gathers: 3 * 1024 * 1024,
  // Go's client gives up after five informational answers (`max1xxResponses`), and waits without.
  tellsHeld: false,
  readTarget: canonicalTarget,
  reads: readsKubernetes,
  ask: askKubernetes,
  fault: statusOf,
} satisfies RequestProtocol<KubernetesEnvironment>;

/** kubectl, and programs made with client-go: `kubectl/v1.32.4 (linux/amd64) kubernetes/59526cd`. */
const KUBECTL = /^kubectl\/|\bkubernetes\/[0-9a-f$]/;

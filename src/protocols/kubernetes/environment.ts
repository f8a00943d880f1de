import type { Principal } from '../../core/principal.ts';
import type { MaskingMode } from '../../core/target.ts';
import type { DataClasses } from '../../masking/classes.ts';
import type { StreamSettings } from './streams/index.ts';

/** What a request to a Kubernetes API server needs to know of its target and its principal. */
export interface KubernetesEnvironment {
  readonly target: KubernetesTarget;
  readonly classes: DataClasses;
  /** Data classes that the principal may see on this target, under the policy in force now. */
  readonly revealed: ReadonlySet<string>;
  readonly principal: Principal;
  readonly streams: StreamSettings;
}

export interface KubernetesTarget {
  readonly name: string;
  readonly masking: MaskingMode;
  readonly readOnly: boolean;
  /** In front of every path: empty, or begins with a slash and ends with none (a cluster behind Rancher, say). */
  readonly basePath: string;
  /** Names, in lower case, of the fields that carry the gateway's own credential, which the transport adds. Clients' fields of these names do not go upstream. */
  readonly credentialNames: readonly string[];
  readonly impersonate: Impersonation | undefined;
}

/** As whom the gateway asks the API server to take its requests (Impersonate-User, Impersonate-Group). */
export interface Impersonation {
  /** With `{issuer}`, `{subject}` in it, which stand for the principal's. */
  readonly user: string;
  /** With `{group}`: one for each group of the principal. */
  readonly groups: readonly string[];
}

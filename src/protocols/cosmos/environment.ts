import type { MaskingMode } from '../../core/target.ts';
import type { DataClasses } from '../../masking/classes.ts';

/** What a request to Cosmos DB needs to know of its target and its principal. */
export interface CosmosEnvironment {
  readonly target: CosmosTarget;
  readonly classes: DataClasses;
  /** Data classes that the principal may see on this target, under the policy in force now. */
  readonly revealed: ReadonlySet<string>;
}

export interface CosmosTarget {
  readonly name: string;
  readonly masking: MaskingMode;
  readonly readOnly: boolean;
  /** The only database that is served; undefined: every one that policy allows. */
  readonly database: string | undefined;
  /** In front of every path: empty, or begins with a slash and ends with none. */
  readonly basePath: string;
}

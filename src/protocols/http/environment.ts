import type { MaskingMode } from '../../core/target.ts';
import type { DataClasses } from '../../masking/classes.ts';
import type { BodyFact } from './body-facts.ts';
import type { ListedOperations } from './listed.ts';

/** What an HTTP request needs to know of its target and its principal. */
export interface HttpEnvironment {
  readonly target: HttpTarget;
  readonly classes: DataClasses;
  /** Data classes that the principal may see on this target, under the policy in force now. */
  readonly revealed: ReadonlySet<string>;
}

/** What opening a WebSocket needs besides: frames to the target are masked with what nobody can foresee. */
export interface AskEnvironment extends HttpEnvironment {
  readonly randomBytes: (length: number) => Uint8Array;
}

export interface HttpTarget {
  readonly name: string;
  readonly masking: MaskingMode;
  readonly readOnly: boolean;
  /** In front of every path: empty, or begins with a slash and ends with none. */
  readonly basePath: string;
  /** Names, in lower case, of the fields that carry the gateway's own credential, which the transport adds. Clients' fields of these names do not go upstream. */
  readonly credentialNames: readonly string[];
  /** As its URL has it, without a default port: `https://crm.internal`. Absent: links to it stay as they are. */
  readonly origin?: string;
  /** Values in bodies that policy asks about. */
  readonly bodyFacts?: readonly BodyFact[];
  /** Names of query parameters that policy asks about. */
  readonly queryFacts?: readonly string[] | undefined;
  /** The same of header fields, in lower case. */
  readonly headerFacts?: readonly string[] | undefined;
  /** What its API document lists; undefined: there is none. */
  readonly operations?: ListedOperations | undefined;
  /** Cookies pass both ways. */
  readonly cookies: boolean;
  /** Lower case, without parameters: they pass although nobody can look into them. */
  readonly unmaskedMediaTypes: readonly string[];
}

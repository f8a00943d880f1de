import type { MaskingMode } from '../../core/target.ts';
import type { DataClasses } from '../../masking/classes.ts';
import type { HeaderField } from '../request.ts';

/** What an HTTP request needs to know of its target and its principal. */
export interface HttpEnvironment {
  readonly target: HttpTarget;
  readonly classes: DataClasses;
  /** Data classes that the principal may see on this target, under the policy in force now. */
  readonly revealed: ReadonlySet<string>;
}

export interface HttpTarget {
  readonly name: string;
  readonly masking: MaskingMode;
  readonly readOnly: boolean;
  /** In front of every path: empty, or begins with a slash and ends with none. */
  readonly basePath: string;
  /** The gateway's own credential, as the target takes it. Never in a record, never bound by an approval. */
  readonly credential: HeaderField | undefined;
  /** Cookies pass both ways. */
  readonly cookies: boolean;
  /** Lower case, without parameters: they pass although nobody can look into them. */
  readonly unmaskedMediaTypes: readonly string[];
}

import type { OpenSession } from '../../core/effect.ts';
import type { DataClasses } from '../../masking/classes.ts';
import type { DetectorSet } from '../../masking/detect.ts';
import type { ExactCommands } from '../../shell/index.ts';

/** What the channels of one SSH session need to know. */
export interface SshContext {
  readonly session: OpenSession;
  /** Whom the channels run as at the target. */
  readonly remoteUser: string;
  /** It is the user that the target's configuration names; any other one is an act of its own. */
  readonly isOwnUser: boolean;
  readonly classes: DataClasses;
  /** What is looked for in what the principal sees. */
  readonly detectors: DetectorSet;
  /** What is looked for in what is recorded: everything. */
  readonly recordDetectors: DetectorSet;
  readonly settings: SshSettings;
}

/** What the target's configuration says of its channels. */
export interface SshSettings {
  /** Made once, when the configuration is loaded. */
  readonly exactCommands: ExactCommands;
  /** Names of variables that a client may set, `LC_*` among them. Every other one is refused. */
  readonly environment: readonly string[];
  /** Interactive programs run only while someone of this group watches. */
  readonly moderated: { readonly group: string } | undefined;
}

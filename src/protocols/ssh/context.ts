import type { RunningDigest } from '../../core/crypto.ts';
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
  /** A new digest, for a file that goes through. */
  readonly sha256: () => RunningDigest;
}

/** What the target's configuration says of its channels. */
export interface SshSettings {
  /** Made once, when the configuration is loaded. */
  readonly exactCommands: ExactCommands;
  /** Names of variables that a client may set, `LC_*` among them. Every other one is refused. */
  readonly environment: readonly string[];
  /** Interactive programs run only while someone of this group watches. */
  readonly moderated: { readonly group: string } | undefined;
  /** Contents that masking cannot look into (binary files, streams of rsync and git) go out although something is looked for in what the principal sees. */
  readonly opaqueTransfers?: boolean;
  /** Where relative paths begin that are no requests of sftp; without it `~` stands for it. */
  readonly home?: string | undefined;
}

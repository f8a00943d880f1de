import type { Limits } from '../core/limits.ts';
import type { HoldMode, MaskingMode, Protocol } from '../core/target.ts';
import type { Secret } from './secret.ts';
import type { Path } from './source.ts';
import type { ListenAddress } from './types.ts';

/** The targets of one protocol: what is checked besides their shape, and what is made of them. Paths are those below the target. */
export interface TargetKind<Raw, Read extends AnyTargetConfig> {
  check(raw: Raw, context: CheckContext): void;
  read(raw: Raw, common: AnyTargetConfig, secret: ReadSecret, bytes: ReadBytes): Promise<Read>;
  /** Every `unsafe_…` of it besides `masking` and `upstream.tls`, by its path. */
  unsafe(raw: Raw): readonly string[];
  /** What is referred to but no secret. It counts in the digest. */
  certificates(target: Read): readonly (Secret | undefined)[];
}

export interface CheckContext {
  readonly add: AddProblem;
  /** The protocol of another target of the file. */
  readonly protocolOf: (name: string) => Protocol | undefined;
  /** `listeners.https` is on. */
  readonly hasHttps: boolean;
  /** `listeners.ssh` is on. */
  readonly hasSsh: boolean;
}

export type AddProblem = (path: Path, message: string) => void;

/** Reads what a reference refers to. What cannot be read is a problem at its place. */
export interface ReadSecret {
  (path: Path, reference: string): Promise<Secret>;
  (path: Path, reference: string | undefined): Promise<Secret | undefined>;
  /** Of what was read and is not what it should be. */
  readonly add: AddProblem;
}

/** The same of a file that holds no text. */
export type ReadBytes = (path: Path, reference: string) => Promise<Secret>;

/** What every protocol's targets have. */
export interface AnyTargetConfig {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly masking: MaskingMode;
  readonly hold: HoldMode;
  readonly limits: Limits | undefined;
  readonly requireReason: boolean;
  readonly readOnly: boolean;
  /** A port of its own. */
  readonly listen: ListenAddress | undefined;
}

/** `verify-ca` does not compare the host name; `unsafe_require` encrypts without verifying; `unsafe_disable` does not encrypt. */
export type UpstreamTlsMode = 'verify-full' | 'verify-ca' | 'unsafe_require' | 'unsafe_disable';

import type { DataClasses } from '../../../masking/classes.ts';
import type { DetectorSet } from '../../../masking/detect.ts';
import type { Inflate } from '../../spdy/index.ts';
import type { MaskKey } from './websocket-messages.ts';

/** What the streams of a target need to know. */
export interface StreamContext {
  readonly classes: DataClasses;
  /** What is looked for in what the principal sees. */
  readonly detectors: DetectorSet;
  /** What is looked for in what is recorded: everything. */
  readonly recordDetectors: DetectorSet;
  readonly inflate: Inflate;
  readonly maskKey: MaskKey;
}

/** Frames of HTTP/2, RFC 9113 sections 4 and 6. */

export const frameType = {
  data: 0x0,
  headers: 0x1,
  resetStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goAway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

export const flag = { acknowledge: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** Section 6.5.2. */
export const setting = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
} as const;

/** Identifier and value. */
export type Setting = readonly [number, number];

export const headBytes = 9;
/** What every peer takes, and the most that this one does: the initial SETTINGS_MAX_FRAME_SIZE, which is never changed. */
export const maxFrameBytes = 16_384;
/** Section 6.9.1. */
export const maxWindowBytes = 2 ** 31 - 1;
/** The initial SETTINGS_INITIAL_WINDOW_SIZE, and what a connection always begins with (section 6.9.2). */
export const initialWindowBytes = 65_535;
/** The initial SETTINGS_HEADER_TABLE_SIZE. */
export const initialTableBytes = 4_096;

/**
 * SPDY/3.1 as the SPDY Protocol Draft 3.1 (Chromium project, 2013) has it, without its HTTP layer: Kubernetes multiplexes the streams of exec, attach and
 * port-forward over it. Stream ids are 31 bits; those of the client are odd.
 */
export type SpdyFrame =
  | {
      readonly kind: 'syn-stream';
      readonly stream: number;
      readonly fin: boolean;
      readonly unidirectional: boolean;
      readonly headers: SpdyHeaders;
    }
  | { readonly kind: 'syn-reply'; readonly stream: number; readonly fin: boolean; readonly headers: SpdyHeaders }
  | { readonly kind: 'headers'; readonly stream: number; readonly fin: boolean; readonly headers: SpdyHeaders }
  | { readonly kind: 'rst-stream'; readonly stream: number; readonly status: number }
  | { readonly kind: 'settings'; readonly settings: ReadonlyMap<number, number> }
  | { readonly kind: 'ping'; readonly id: number }
  | { readonly kind: 'goaway'; readonly lastStream: number; readonly status: number }
  | { readonly kind: 'window-update'; readonly stream: number; readonly delta: number }
  /** A frame, or the next piece of one: `fin` stands on its last piece. */
  | { readonly kind: 'data'; readonly stream: number; readonly fin: boolean; readonly bytes: Uint8Array };

/** Lower-case name → values, in order. */
export type SpdyHeaders = ReadonlyMap<string, readonly string[]>;

/** Section 2.6: the types of control frames. What has none of them is ignored, as section 2.2.1 asks. */
export const frameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

/** Section 2.6.3. */
export const resetStatus = { protocolError: 1, invalidStream: 2, refusedStream: 3, cancel: 5, internalError: 6 } as const;

export const flagFin = 1;
export const flagUnidirectional = 2;
export const version = 3;
/** Longest payload of a control frame, octets: what section 2.2.1 asks every endpoint to take is 8,192. */
export const maxControlBytes = 16 * 1024;

/**
 * The streams of one exec or attach, whichever form carries them (Kubernetes "remote command" protocol, k8s.io/apimachinery `pkg/util/remotecommand`). WebSocket
 * messages name a stream by its index here, SPDY streams by name.
 */
export const channels = ['stdin', 'stdout', 'stderr', 'error', 'resize'] as const;
export type Channel = (typeof channels)[number];

export type ChannelEvent =
  /** SPDY: the peer opened it, and waits until it is accepted. */
  | { readonly kind: 'open'; readonly channel: Channel }
  /** The peer has accepted what was opened. */
  | { readonly kind: 'accepted'; readonly channel: Channel }
  /** The bytes die at the next call. */
  | { readonly kind: 'data'; readonly channel: Channel; readonly bytes: Uint8Array }
  /** The peer sends no more on it. */
  | { readonly kind: 'close'; readonly channel: Channel }
  /** The peer ends the whole. */
  | { readonly kind: 'end' };

/** One side of an exec or attach: bytes of the wire in, what they mean out, and the other way. What is to be written collects until `take`. */
export interface StreamEnd {
  /** Throws a `GatewayFault` where the peer breaks the protocol. */
  receive(bytes: Uint8Array): readonly ChannelEvent[];
  /** Towards a target. True: it needs no acceptance. */
  open(channel: Channel): boolean;
  /** Towards a client. */
  accept(channel: Channel): void;
  /** Of what is not open, nothing is sent. */
  send(channel: Channel, bytes: Uint8Array): void;
  /** Nothing more is sent on it. */
  close(channel: Channel): void;
  /** Ends the whole, in words of the form. */
  finish(): void;
  take(): readonly Uint8Array[];
}

/** What a client of port forwarding does. `id`: of one forwarded connection, in the words of the form. */
export type ForwardEvent =
  /** Something of a connection has come. */
  | { readonly kind: 'begun'; readonly id: string; readonly port: number }
  /** All of it is there: it can be decided on. */
  | { readonly kind: 'asked'; readonly id: string }
  /** The bytes die at the next step. */
  | { readonly kind: 'data'; readonly id: string; readonly bytes: Uint8Array }
  /** The client sends no more on it. */
  | { readonly kind: 'finished'; readonly id: string }
  /** It wants to hear no more of it either. */
  | { readonly kind: 'reset'; readonly id: string }
  /** It opens no more. */
  | { readonly kind: 'going-away' }
  /** It ends the whole. */
  | { readonly kind: 'end' };

/** The client's side of port forwarding, in whichever form it speaks. What is to be written collects until `take`. */
export interface ForwardClient {
  /** False: it can end nothing but the whole, and so that means that it sends no more on each. */
  readonly endsEach: boolean;
  /** Nothing is left to be forwarded, and nothing can come. */
  readonly isDone: boolean;
  /** Once, before anything else: what the upgrade itself has asked for. */
  begin(): readonly ForwardEvent[];
  /** Throws a `GatewayFault` where the client breaks the protocol. */
  receive(bytes: Uint8Array): Iterable<ForwardEvent>;
  send(id: string, bytes: Uint8Array): void;
  /** In words, on the stream of errors. */
  tell(id: string, words: string): void;
  /** Nothing more is sent there. */
  finish(id: string, stream: ForwardStream): void;
  /** The connection is over. `isCut`: the client is to notice at once. */
  end(id: string, isCut: boolean): void;
  goAway(): void;
  /** Ends the whole, in words of the form. */
  close(): void;
  take(): readonly Uint8Array[];
}

export type ForwardStream = 'data' | 'error';

import type { OpenSession } from '../core/effect.ts';
import type { GatewayFault } from '../core/fault.ts';
import type { Act, Completion, Facts, Operation } from '../core/operation.ts';
import type { Protocol } from '../core/target.ts';
import type { HeaderField } from './http/head-fields.ts';
import type { CheckedHead } from './http/head.ts';
import type { AskedTunnel, UpgradeName } from './tunnel.ts';
import type { CanonicalTarget } from './http/path.ts';

/**
 * The contract of a request protocol: HTTP, and gRPC, Kubernetes and Cosmos DB, which stand on it. All share one transport, `net/http-*.ts`, which owns
 * sockets, timers and back-pressure and knows no protocol beyond HTTP itself. An adapter is pure. Its two main functions are what a request asks
 * for (`ask`), and what becomes of its answer (`AskedRequest.answer`).
 */
export interface RequestProtocol<Environment> extends RequestDialect {
  /**
   * What the target itself must be asked before it can be told what a request asks for: read under the session's grant with the gateway's own credential, and
   * read again after an approval. Absent: nothing.
   */
  reads?(request: ReceivedRequest, environment: Environment): readonly TargetRead[];
  /** `read`: the answers to `reads`, in their order. */
  ask(request: ReceivedRequest, environment: Environment, read: readonly TargetAnswer[]): AskedRequest;
}

/** A GET at the target for the gateway's own use. */
export interface TargetRead {
  /** In origin form. */
  readonly target: string;
  readonly fields: readonly HeaderField[];
}

export interface TargetAnswer {
  /** 0: there was none in time, or it was too long. */
  readonly status: number;
  readonly body: Uint8Array;
}

/** What the transport needs to know of a protocol before it knows what is asked. */
export interface RequestDialect {
  readonly name: Protocol;
  /** Its targets are reached below `/<place>/<target>/`; undefined: by host name only. */
  readonly place: string | undefined;
  /**
   * Whether its clients send such a head. Goes by nothing that the gateway knows of its targets: it decides how those are answered who are not signed in, and who shall
   * not learn which names exist.
   */
  recognises(head: CheckedHead): boolean;
  /** Finds the client's credential. Throws `authentication-failed` for one of a kind that is not taken here. */
  identify(head: CheckedHead): IdentifiedHead;
  /** Bodies up to so many bytes are gathered, so that they can be looked into and approved. */
  readonly gathers: number;
  /** Whoever waits for people is told so by informational answers (1xx), as far as clients put up with them. */
  readonly tellsHeld: boolean;
  /** Reads the request target below the target's own place, so that it has one meaning, or is refused. Never throws. */
  readTarget(text: string): CanonicalTarget | GatewayFault;
  /** A fault as an answer. Nothing of its `detail` or `cause` is in it. */
  fault(fault: GatewayFault, context: FaultContext): FaultAnswer;
}

/** What a browser is told of whether a page of another origin may call. */
export interface CrossOrigin {
  /** It asks before the call; that it may is the whole answer. */
  readonly isPreflight: boolean;
  /** On the answer, whatever it is. */
  readonly fields: readonly HeaderField[];
}

export interface IdentifiedHead {
  /** Never logged. Undefined where there is none. */
  readonly credential: string | undefined;
  /** Without the credential, wherever it was, so that it gets into no record and not upstream. */
  readonly head: CheckedHead;
}

export interface FaultContext {
  /** Named in the answer, so that the client's log and the audit log can be brought together. */
  readonly operationId?: string | undefined;
  /** The request for approval that it speaks of. */
  readonly approval?: { readonly id: string; readonly link: string } | undefined;
  /** It is about the target's answer, not about the request. */
  readonly ofTheAnswer?: boolean | undefined;
  /** Of the request, as its client sent it. */
  readonly contentType?: string | undefined;
}

export interface FaultAnswer {
  readonly status: number;
  /** Without framing, which is the transport's. */
  readonly fields: readonly HeaderField[];
  readonly body: Uint8Array;
}

export type { CanonicalTarget, HeaderField };

/** A request whose head was checked and whose body was gathered, as far as it goes. */
export interface ReceivedRequest {
  /** Upper case. */
  readonly method: string;
  /** Below the target's own place. */
  readonly target: CanonicalTarget;
  /** As the client named the gateway. */
  readonly host: string;
  /** What the client has in front of `target`: `https://gw.example:8443/http/crm`, without a slash at the end. */
  readonly base: string;
  /** It asks to go on in this protocol. */
  readonly upgrade: UpgradeName | undefined;
  /** Every field, for the gateway's own use. */
  readonly fields: readonly HeaderField[];
  /** What may go upstream. */
  readonly forwardable: readonly HeaderField[];
  /** Its head has come before on its connection: `forwardable` is the same object as then. Of a call of gRPC the deadline may be another one, which then stands in `fields` alone. Absent: it has not. */
  readonly isRepeated?: boolean;
  readonly body: RequestBody;
  /** What stands behind a body that was gathered, and may go upstream. Absent: nothing. */
  readonly trailers?: readonly HeaderField[];
}

export type RequestBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  /** Too long to be gathered: it passes as it comes, unseen. `octets`: its length, where that was announced. */
  | { readonly kind: 'streamed'; readonly octets: number | undefined };

/** What an operation needs of the session that it belongs to. */
export type AskingSession = Pick<OpenSession, 'id' | 'nextOperationId'>;

/** What a request means. */
export interface AskedRequest {
  /** Makes the operation that the pipeline decides on and the record shows, nothing sensitive in it. */
  operation(session: AskingSession): Operation;
  /**
   * What policy must be asked about besides: the acts and facts as they are, where those of the operation had something sensitive masked (a
   * card number in a path). The stricter answer holds. Undefined where there is no difference.
   */
  readonly unmasked: { readonly acts: readonly Act[]; readonly facts: Facts } | undefined;
  /** The protocol itself refuses it already, and only the record is asked for. */
  readonly refusal: GatewayFault | undefined;
  /** The same, told only to whom policy permits it: it says something of what the target was asked about. Absent: nothing is to be said. */
  readonly refusalIfPermitted?: GatewayFault | undefined;
  /** What goes upstream; framing and Host are the transport's. `body`: takes the place of one that was gathered. */
  readonly upstream: {
    readonly method: string;
    readonly target: string;
    readonly fields: readonly HeaderField[];
    readonly body?: Uint8Array | undefined;
    /** What goes upstream of those that stand behind the body, as far as they may go at all. Absent: nothing. */
    readonly trailers?: (received: readonly HeaderField[]) => readonly HeaderField[];
    /** All of its answer may be waited for, a moment long: it is of use to nobody in parts. Absent: it passes as it comes. */
    readonly hasShortAnswer?: boolean | undefined;
    /** Tells the target how much of the deadline is left when the request goes, milliseconds. */
    readonly timeLeft?: ((ms: number) => HeaderField) | undefined;
  };
  /** What comes of it where it asks for another protocol. Absent: such a request is refused. */
  readonly tunnel?: AskedTunnel | undefined;
  /** The client's own deadline, milliseconds from its request on. */
  readonly deadlineMs?: number | undefined;
  /** Looks at a body that passes as it comes. */
  readonly inspector?: (() => BodyInspector) | undefined;
  /** People may be asked although the body passes unseen: the text of the operation tells them. */
  readonly isApprovableUnseen?: boolean | undefined;
  /** Its answer may begin at any time: nothing but a limit of the target ends the wait. */
  readonly isLongLived?: boolean | undefined;
  answer(head: AnswerHead): AnswerPlan;
  /** What of the answer the recording keeps. */
  sample(head: AnswerHead, window: SampleWindow): { readonly columns: readonly string[]; readonly row: readonly (string | null)[] };
}

/** The head of a final answer (status 200 and above). */
export interface AnswerHead {
  readonly status: number;
  readonly fields: readonly HeaderField[];
}

/** How the body of an answer is coded (RFC 9110 section 8.4.1). */
export type ContentCoding = 'gzip' | 'br' | 'zstd';

/** What the client gets. `fields`: without framing, which is the transport's. */
export type AnswerPlan =
  /** The answer is not shown. The request has reached the target all the same. */
  | { readonly kind: 'refuse'; readonly fault: GatewayFault }
  /** The body as it comes. `trailers`: what is shown of those that stand behind it; absent: nothing. */
  | { readonly kind: 'pass'; readonly fields: readonly HeaderField[]; trailers?(received: readonly HeaderField[]): readonly HeaderField[] }
  /** The head is all there is, and says how it went. */
  | { readonly kind: 'head'; readonly fields: readonly HeaderField[]; readonly outcome: AnswerEnd['outcome'] }
  /** Message by message, with the status behind them. */
  | { readonly kind: 'messages'; readonly fields: readonly HeaderField[]; readonly answer: StreamedAnswer }
  /** The body is decoded, gathered up to `maxBytes` and masked as a whole. `tooLong`: what is said of a longer one. `codedAgain`: how what is shown is coded; absent: not at all. */
  | {
      readonly kind: 'whole';
      readonly coding: ContentCoding | undefined;
      readonly codedAgain?: ContentCoding | undefined;
      readonly maxBytes: number;
      readonly tooLong: () => GatewayFault;
      mask(body: Uint8Array): MaskedAnswer | GatewayFault;
    }
  /** The body is decoded and masked piece by piece as it comes: events, lines. */
  | {
      readonly kind: 'pieces';
      readonly fields: readonly HeaderField[];
      readonly coding: ContentCoding | undefined;
      readonly codedAgain?: ContentCoding | undefined;
      masker(): PieceMasker;
    };

export interface MaskedAnswer {
  readonly fields: readonly HeaderField[];
  readonly body: Uint8Array;
  /** What counts as rows in it, for the limits of the target and the record. Left out: none. */
  readonly rows?: number | undefined;
  /** Values masked, by data class. */
  readonly masked: ReadonlyMap<string, number>;
}

/** Takes a body in any cuts and gives back what may be shown of it so far. Both throw a `GatewayFault`: then nothing more may be shown. */
export interface PieceMasker {
  push(bytes: Uint8Array): readonly Uint8Array[];
  end(): readonly Uint8Array[];
  /** Values masked so far, by data class. */
  readonly masked: ReadonlyMap<string, number>;
}

/** Sees a body as it passes. Both throw a `GatewayFault`: then nothing more of it passes. */
export interface BodyInspector {
  /** Gives back what goes to the target. */
  push(bytes: Uint8Array): Uint8Array;
  end(): void;
}

/** An answer that says behind its messages how it went (gRPC). `push` and `end` throw a `GatewayFault`: then nothing more may be shown. */
export interface StreamedAnswer {
  push(bytes: Uint8Array): Iterable<Uint8Array>;
  /** `trailers`: as the target sent them. */
  end(trailers: readonly HeaderField[]): AnswerEnd;
  /** How the client is told of a fault, its head being there already. */
  cut(fault: GatewayFault, context: FaultContext): Omit<AnswerEnd, 'outcome'>;
  /** Messages shown so far. */
  readonly messages: number;
  /** Values masked so far, by data class. */
  readonly masked: ReadonlyMap<string, number>;
}

/** What comes last. */
export interface AnswerEnd {
  readonly pieces: readonly Uint8Array[];
  readonly trailers: readonly HeaderField[];
  readonly outcome: Pick<Completion, 'outcome' | 'errorCode'>;
}

/** The beginning of a body, decoded, as it came from the target. */
export interface SampleWindow {
  readonly bytes: Uint8Array;
  /** It is the whole body. */
  readonly isWhole: boolean;
  /** It could not be decoded for this purpose. */
  readonly isCoded: boolean;
  /** What the client was shown of it, where it was masked as a whole. */
  readonly shown?: Uint8Array | undefined;
}

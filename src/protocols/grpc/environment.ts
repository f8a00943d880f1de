import type { GatewayFault } from '../../core/fault.ts';
import type { SessionLimits } from '../../core/limits.ts';
import type { MaskingMode } from '../../core/target.ts';
import type { DataClasses } from '../../masking/classes.ts';
import type { DetectorSet } from '../../masking/detect.ts';

/** What a call needs to know of its target and its principal. */
export interface GrpcEnvironment {
  readonly target: GrpcTarget;
  readonly classes: DataClasses;
  /** Data classes that the principal may see on this target, under the policy in force now. */
  readonly revealed: ReadonlySet<string>;
  /** What the methods of this target take and answer. Undefined: nobody knows, so nothing can be looked into. */
  readonly schema: GrpcSchema | undefined;
  /** Why no call is let through now. */
  readonly closed: GatewayFault | undefined;
  readonly inflate: Inflate;
  /** Of the session: messages of an answer count as rows. */
  readonly limits: SessionLimits;
}

export interface GrpcTarget {
  readonly name: string;
  readonly masking: MaskingMode;
  readonly readOnly: boolean;
  /** Names of fields that carry the gateway's own credential, in lower case, which the transport adds: a client's field of such a name never goes upstream. */
  readonly credentialNames: readonly string[];
  /** Clients may ask the target for its schema (grpc.reflection). */
  readonly reflection: boolean;
  /** Clients may reach services that show or change the server itself (channelz, admin, xDS). */
  readonly unsafeAdmin: boolean;
  /** Of one message, either way, decoded and as it came. */
  readonly maxMessageBytes: number;
}

/** The methods of a target, as its descriptors say. */
export interface GrpcSchema {
  /** By exact name, `package.Service/Method`. */
  method(name: string): GrpcMethod | undefined;
  /** Data classes that field options name. */
  readonly classes: readonly string[];
}

export interface GrpcMethod {
  readonly clientStreams: boolean;
  readonly serverStreams: boolean;
  /** Declared `idempotency_level = NO_SIDE_EFFECTS`. */
  readonly noSideEffects: boolean;
  masker(direction: 'request' | 'response', masks: GrpcMasks): MessageMasker;
  /** Of a google.rpc.Status, as errors carry it: its message and its details. What cannot be looked into is left out. */
  statusMasker(masks: GrpcMasks): Pick<MessageMasker, 'mask'>;
}

/** What becomes of one kind of message. Made once for the same masks. */
export interface MessageMasker {
  /** Classes with hidden places in such messages, besides what detectors find. */
  readonly hiddenClasses: readonly string[];
  /** `bytes` is the very argument where nothing was changed. */
  mask(message: Uint8Array): MaskedMessage | GatewayFault;
  /** As people read it: JSON, everything hidden masked, at most so long; undefined where it cannot be read. */
  text(message: Uint8Array, maxCharacters: number): string | undefined;
}

export interface MaskedMessage {
  readonly bytes: Uint8Array;
  /** Values masked, by data class. */
  readonly masked: ReadonlyMap<string, number>;
}

/** What must not be seen. */
export interface GrpcMasks {
  readonly target: string;
  readonly classes: DataClasses;
  readonly detectors: DetectorSet;
  readonly revealed: ReadonlySet<string>;
  readonly mode: MaskingMode;
  /** What stands under a name that speaks of a credential is left out of texts. */
  readonly leavesOutCredentials: boolean;
  /** Places in some message of this target are hidden. */
  readonly holdsPlaces: boolean;
  /** Anything is hidden. */
  readonly hides: boolean;
}

/** Message codings that can be decoded (gRPC over HTTP/2, `Message-Encoding`). */
export type MessageCoding = 'gzip' | 'deflate';

/** Decodes one message; undefined where it is not what it says it is, `too-long` where it would have more than `maxBytes`. Allocates no more than that. */
export type Inflate = (coding: MessageCoding, bytes: Uint8Array, maxBytes: number) => Uint8Array | 'too-long' | undefined;

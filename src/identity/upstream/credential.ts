/**
 * The gateway's own credential at a target, as the transport of request protocols uses it: whatever it is made of, it becomes fields that are put on
 * each request right before it goes out. Neither a record nor an approval has ever seen them.
 */
export interface UpstreamCredential {
  /** Lower case. A client's own field of one of these names never goes upstream. */
  readonly fieldNames: readonly string[];
  /**
   * The fields for one request, at once where they need not be fetched. Throws or rejects with `upstream-unavailable` where they cannot be had now, `upstream-refused` where the gateway is not accepted by
   * whoever issues them, `unsupported` and `limit-exceeded` for a request that they cannot be made for.
   */
  fieldsFor(request: OutgoingRequest): readonly OutgoingField[] | Promise<readonly OutgoingField[]>;
  /** The client certificate of the connection that these very fields go on. Absent or undefined: what the target is configured with. */
  identityOf?(fields: readonly OutgoingField[]): ClientIdentity | undefined;
  /** The target has answered 401 to these fields. True: other ones may be accepted, and can be had. */
  refused(fields: readonly OutgoingField[]): boolean;
}

/** A request as it goes out, but for framing. */
export interface OutgoingRequest {
  readonly method: string;
  /** As it stands in the Host field. */
  readonly host: string;
  /** In origin form. */
  readonly target: string;
  readonly fields: readonly OutgoingField[];
  /** `streamed`: it passes as it comes, and nobody knows it yet. */
  readonly body: Uint8Array | 'none' | 'streamed';
}

/** A client certificate, its chain behind it, and its key; PEM. */
export interface ClientIdentity {
  readonly certificate: string;
  readonly key: string;
}

/** `name` in lower case. */
export interface OutgoingField {
  readonly name: string;
  readonly value: string;
}

/** A credential that is always the same field. */
export function fixedCredential(field: OutgoingField): UpstreamCredential {
  const fields = [field];
  return { fieldNames: [field.name], fieldsFor: () => fields, refused: () => false };
}

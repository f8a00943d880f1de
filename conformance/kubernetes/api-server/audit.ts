/** What the server has understood of a request, for tests to compare with somebody else's record of it. */
export interface AuditEntry {
  readonly method: string;
  /** Path and query, as they came. */
  readonly url: string;
  /** `1.1` or `2.0`. */
  readonly http: string;
  readonly verb: string;
  /** Empty: no resource. */
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** Undefined: nobody who is known. */
  readonly user: string | undefined;
  readonly groups: readonly string[];
  /** Who acts as that user, where it is somebody else. */
  readonly impersonator: string | undefined;
  /** Names in lower case, values as they came; without `authorization`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of an exec. */
  readonly argv: readonly string[];
  readonly container: string;
  readonly stdin: boolean;
  readonly tty: boolean;
  /** How its streams came: `websocket`, `spdy`; and the sub-protocol agreed on. */
  upgrade: string;
  protocol: string;
  /** Ports that were forwarded. */
  readonly ports: number[];
  /** The answer's; 0 until there is one. */
  status: number;
}

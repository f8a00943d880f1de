import { GatewayFault } from './fault.ts';

/**
 * The permission to forward one operation, or (the grant of a session's `connect` operation) the session's own housekeeping.
 * It has no public constructor: `takeMint` hands the only mint to the pipeline, once. `net/drive.ts` refuses bytes whose grant is not genuine.
 */
export interface Grant {
  readonly sessionId: string;
  readonly operationId: string;
  /** The audit log's sequence number of the decided record. Answers are withheld until the log is durable up to here. */
  readonly sequence: number;
}

export interface Mint {
  mint(sessionId: string, operationId: string, sequence: number): Grant;
  /** Afterwards the grant forwards nothing any more. */
  revoke(grant: Grant): void;
}

/** True for a grant that the pipeline minted for this session and has not revoked. */
export function isGenuine(grant: Grant, sessionId: string): boolean {
  return genuine.has(grant) && grant.sessionId === sessionId;
}

/** Gives the mint to its first caller, the pipeline's module; anyone later gets a fault. */
export function takeMint(): Mint {
  if (taken) throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'the mint was already taken' });
  taken = true;
  return {
    mint(sessionId, operationId, sequence) {
      const grant = Object.freeze({ sessionId, operationId, sequence });
      genuine.add(grant);
      return grant;
    },
    revoke(grant) {
      genuine.delete(grant);
    },
  };
}

const genuine = new WeakSet<Grant>();
let taken = false;

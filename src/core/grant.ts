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
  return isValid(grant) && grant.sessionId === sessionId;
}

let isValid: (grant: Grant) => boolean;
let revoke: (grant: Grant) => void;

/** Gives the mint to its first caller, the pipeline's module; anyone later gets a fault. */
export function takeMint(): Mint {
  if (taken) throw forbidden('the mint was already taken');
  taken = true;
  return {
    mint: (sessionId, operationId, sequence) => Object.freeze(new MintedGrant(STAMP, sessionId, operationId, sequence)),
    revoke,
  };
}

/**
 * What makes a grant genuine is a private field: no copy, clone, proxy or heir of a grant has it, and who reaches the class by way of a grant lacks the stamp.
 * A set of genuine grants would do as well and cost twice as much for each statement.
 */
class MintedGrant implements Grant {
  readonly sessionId: string;
  readonly operationId: string;
  readonly sequence: number;
  #valid = true;

  constructor(stamp: symbol, sessionId: string, operationId: string, sequence: number) {
    if (stamp !== STAMP) throw forbidden('a grant comes from the mint only');
    this.sessionId = sessionId;
    this.operationId = operationId;
    this.sequence = sequence;
  }

  /** Functions of this module, not members of the class: those could be exchanged. */
  static {
    isValid = (grant) => #valid in grant && grant.#valid;
    revoke = (grant) => {
      if (#valid in grant) grant.#valid = false;
    };
  }
}

function forbidden(detail: string): GatewayFault {
  return new GatewayFault('internal', { publicMessage: 'internal gateway error', detail });
}

const STAMP = Symbol('mint');
let taken = false;

import type { Outcome } from '../../../core/effect.ts';
import type { GatewayFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import type { Completion, Operation } from '../../../core/operation.ts';
import type { SshContext } from '../context.ts';
import type { FileObjects } from './path.ts';
import type { Upstream } from './upstream.ts';

/** What the parts of a session need of it. */
export interface SftpHost {
  readonly context: SshContext;
  /** Why the client opened the channel, as it stated it. */
  readonly reason: string | undefined;
  /** Of the subsystem: for what the gateway itself has to know. */
  readonly grant: Grant;
  readonly upstream: Upstream;
  readonly objects: FileObjects;
  /** Answered once. `refusal`: it is refused whatever policy says. */
  ask(operation: Operation, refusal: GatewayFault | undefined, answer: (outcome: Outcome) => void): void;
  /** The answer to one request of the client; its last field may be `data`, which goes as it is. */
  reply(grant: Grant | undefined, bytes: Uint8Array, data?: Uint8Array): void;
  /** The same, for what the gateway refuses. */
  refuse(id: number, fault: GatewayFault, operationId: string | undefined): void;
  complete(operationId: string, ended: Ended): void;
}

/** How an operation ended; what is not given is none. */
export type Ended = Pick<Completion, 'outcome'> & Partial<Completion>;

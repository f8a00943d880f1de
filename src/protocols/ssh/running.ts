import type { GatewayFault } from '../../core/fault.ts';
import type { Grant } from '../../core/grant.ts';
import type { Act, Facts } from '../../core/operation.ts';
import type { ChannelSession, Program, Terminal } from './channel.ts';
import type { SshContext } from './context.ts';

/** A channel whose program was granted, for the session that takes it over: the first that it hears is `started`. */
export interface RunningParts {
  readonly context: SshContext;
  readonly grant: Grant;
  /** Of the program. Its `complete` is emitted before `close`. */
  readonly operationId: string;
  /** As it runs at the target. */
  readonly program: Program;
  readonly terminal: Terminal | undefined;
  /** As the client stated it: the fact `reason` of whatever is asked in the channel. */
  readonly reason: string | undefined;
}

/** A program that moves files, known by its words: what it does to which of them, and who looks on. */
export interface Copy {
  /** In place of `ssh:exec` on the command. */
  acts(context: SshContext): readonly Act[];
  readonly facts: Facts;
  /** Why it cannot be let through, whatever policy says. */
  refusal(context: SshContext): GatewayFault | undefined;
  session(parts: RunningParts): ChannelSession;
}

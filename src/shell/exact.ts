import { GatewayFault } from '../core/fault.ts';
import { readCommand } from './read.ts';
import type { SimpleCommand } from './reading.ts';

/** The commands that a target lists as `exact_commands`. What is sent for one of them is our own quoting, not the client's text. */
export interface ExactCommands {
  /** Equal to one of them word for word. */
  includes(command: SimpleCommand): boolean;
  readonly size: number;
}

/** Throws `unclassified` for a text that is not one simple command of literal words. */
export function exactCommands(texts: readonly string[]): ExactCommands {
  const known = new Set<string>();
  for (const text of texts) {
    const reading = readCommand(text);
    if (reading instanceof GatewayFault) throw reading;
    if (reading.kind === 'script') {
      throw new GatewayFault('unclassified', {
        publicMessage: `${JSON.stringify(text)} is not one command with literal words: ${reading.syntax.join(', ')}`,
      });
    }
    known.add(reading.canonical);
  }
  return { includes: ({ canonical }) => known.has(canonical), size: known.size };
}

import type { Statement } from '../statement.ts';
import type { Findings } from './findings.ts';
import type { Body } from './nodes.ts';
import type { Scope, Walk } from './walk.ts';

/** What a rule for one kind of statement works with. */
export interface At {
  readonly found: Findings;
  readonly walk: Walk;
  readonly scope: Scope;
  /** The summary of the statement inside this one, on its own (PREPARE, DECLARE). */
  summarise(node: unknown): Summary;
  /** Runs the rule of a statement inside this one into the same findings (EXPLAIN, COPY). */
  include(node: unknown): void;
}

export interface Summary {
  readonly statement: Statement;
  readonly literalSensitive: boolean;
}

/** Sets `found.kind` and everything else. The node's own fields have been checked against the allow-list. */
export type StatementRule = (body: Body, at: At) => void;

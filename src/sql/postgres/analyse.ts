/** PostgreSQL text to its meaning. */
import { GatewayFault } from '../../core/fault.ts';
import type { Analysis } from '../statement.ts';
import { administerStatements } from './administer.ts';
import { defineRules, defineStatements } from './define.ts';
import { expressionRules } from './expressions.ts';
import { Findings } from './findings.ts';
import type { TracedText } from './lineage.ts';
import { refuse, tagged } from './nodes.ts';
import { parseStatements } from './parser.ts';
import { queryRules } from './query.ts';
import { rowStatements } from './rows.ts';
import type { At, StatementRule, Summary } from './rule.ts';
import { sessionStatements } from './session.ts';
import { settingStatements } from './settings.ts';
import { Walk, checkFields, outermost, type Rule } from './walk.ts';

/**
 * What every statement of `sql` means. `loadParser` must have resolved. Throws GatewayFault: `limit-exceeded` for a text longer than
 * `maxBytes` (UTF-8), `unclassified` for whatever is not understood with certainty, among it `SyntaxFault` with a position.
 */
export function analyse(sql: string, maxBytes: number = defaultMaxBytes): Analysis {
  // One UTF-16 unit is at most three bytes of UTF-8, so that most texts need no counting.
  if (sql.length * 3 > maxBytes && new TextEncoder().encode(sql).length > maxBytes)
    throw new GatewayFault('limit-exceeded', { publicMessage: `This statement is longer than ${maxBytes} bytes.` });
  try {
    const summaries = parseStatements(sql).map((raw, index) => summarise(raw['stmt'], { sql, index, inner: false }));
    return {
      statements: summaries.map((summary) => summary.statement),
      literalSensitive: summaries.some((summary) => summary.literalSensitive),
    };
  } catch (error) {
    if (error instanceof GatewayFault) throw error;
    return refuse(`analysis failed: ${String(error)}`, 'This statement is nested too deeply to be classified.');
  }
}

function summarise(node: unknown, traced: TracedText): Summary {
  const found = new Findings();
  const at: At = {
    found,
    walk: new Walk(found, rules),
    scope: outermost,
    summarise: (inner) => summarise(inner, { ...traced, inner: true }),
    include: (inner) => include(inner, at),
  };
  include(node, at);
  return { statement: found.finish(traced), literalSensitive: found.literalSensitive || found.setsByFunction || found.readsPlace };
}

function include(node: unknown, at: At): void {
  const statement = tagged(node) ?? refuse('an empty statement');
  const rule = statements.get(statement.tag) ?? refuse(`unknown statement ${statement.tag}`);
  checkFields(statement.tag, statement.body);
  if (statement.body['behavior'] === 'DROP_CASCADE') at.found.cascade = true;
  rule(statement.body, at);
}

const rules: ReadonlyMap<string, Rule> = new Map([...expressionRules, ...queryRules, ...defineRules]);

const statements: ReadonlyMap<string, StatementRule> = new Map([
  ...rowStatements,
  ...settingStatements,
  ...sessionStatements,
  ...defineStatements,
  ...administerStatements,
]);

/** 1 MiB parses in about half a second. */
export const defaultMaxBytes = 1024 * 1024;

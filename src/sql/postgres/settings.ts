/** Settings: SET, RESET, SHOW and set_config, which is SET inside a query (PostgreSQL manual, 9.28.1). */
import type { Findings } from './findings.ts';
import { bodyOf, constantText, listOf, refuse, requiredText, stringNode, tagged, type Body } from './nodes.ts';
import type { StatementRule } from './rule.ts';

export const settingStatements: ReadonlyMap<string, StatementRule> = new Map<string, StatementRule>([
  ['VariableSetStmt', setStatement],
  ['VariableShowStmt', showStatement],
]);

/**
 * `set_config(setting, value, is_local)`. What it sets must be in the text: a computed name could be `role` in one row and anything in
 * the next, and takes effect inside the same query. `row`: the setting that a column `name` certainly is here.
 */
export function setByFunction(args: unknown, row: string | undefined, found: Findings): void {
  const [name, value, local] = listOf(args).map(uncast);
  const setting = name === undefined ? undefined : isColumnName(name) ? row : constantText(name);
  if (setting === undefined) refuse('set_config with a setting name that is no literal', 'set_config needs a literal setting name here.');
  const known = value === undefined ? undefined : constantText(value);
  found.literalSensitive = true;
  found.setsByFunction = true;
  found.keepsArguments();
  applySetting(setting, known === undefined ? undefined : [known], local !== undefined && constantText(local) === 'true', found);
}

/** The options of BEGIN and SET TRANSACTION: `prefix` is `default_` for SET SESSION CHARACTERISTICS. */
export function setTransactionModes(options: unknown, prefix: '' | 'default_', found: Findings): void {
  for (const option of listOf(options)) {
    const element = tagged(option);
    if (element?.tag !== 'DefElem') return refuse('a transaction mode was expected');
    const name = requiredText(element.body['defname'], 'transaction mode');
    if (!transactionModes.has(name)) return refuse(`unknown transaction mode ${name}`);
    const value = constantText(element.body['arg']);
    const spelledOut = name === 'transaction_isolation' ? value : value === '0' ? 'off' : 'on';
    applySetting(`${prefix}${name}`, spelledOut === undefined ? undefined : [spelledOut], prefix === '', found);
  }
}

/** What ALTER ROLE and ALTER DATABASE … SET change for sessions to come: the same act as changing it now. */
export function setForLater(statement: unknown, found: Findings): void {
  const setting = settingNamed(statement);
  const [value] = listOf(bodyOf(statement)['args']).map(constantText);
  settingAct(setting, value, found, 'sql:set');
}

/** The settings that a VariableSetStmt inside ALTER ROLE, ALTER DATABASE or ALTER SYSTEM names; they are not set in this session. */
export function settingNamed(statement: unknown): string {
  const body = bodyOf(statement);
  return body['kind'] === 'VAR_RESET_ALL' ? 'all' : fold(requiredText(body['name'], 'setting name'));
}

function setStatement(body: Body, { found }: Parameters<StatementRule>[1]): void {
  const kind = requiredText(body['kind'], 'VariableSetStmt.kind');
  found.changesSession = true;
  found.kind = kind.startsWith('VAR_RESET') ? 'reset' : 'set';
  const local = body['is_local'] === true;
  switch (kind) {
    case 'VAR_SET_VALUE': {
      const values = listOf(body['args']).map(constantText);
      applySetting(requiredText(body['name'], 'setting name'), values.every(isKnown) ? values : undefined, local, found);
      return;
    }
    case 'VAR_SET_DEFAULT':
    case 'VAR_SET_CURRENT':
      applySetting(requiredText(body['name'], 'setting name'), undefined, local, found);
      return;
    case 'VAR_RESET':
      applySetting(requiredText(body['name'], 'setting name'), undefined, false, found, 'sql:reset');
      return;
    case 'VAR_RESET_ALL':
      applySetting('all', undefined, false, found, 'sql:reset');
      return;
    case 'VAR_SET_MULTI':
      return setSeveral(body, found);
    default:
      return refuse(`unknown kind of SET ${kind}`);
  }
}

function setSeveral(body: Body, found: Findings): void {
  switch (body['name']) {
    case 'TRANSACTION':
      return setTransactionModes(body['args'], '', found);
    case 'SESSION CHARACTERISTICS':
      return setTransactionModes(body['args'], 'default_', found);
    case 'TRANSACTION SNAPSHOT':
      return applySetting('transaction_snapshot', undefined, true, found);
    default:
      return refuse('unknown form of SET');
  }
}

function showStatement(body: Body, { found }: Parameters<StatementRule>[1]): void {
  found.kind = 'show';
  found.returnsRows = true;
  found.literalSensitive = false;
  found.act('sql:show', { type: 'Setting', setting: fold(requiredText(body['name'], 'setting name')) });
}

/** `values` undefined: back to the default, or not known from the text. */
function applySetting(
  written: string,
  values: readonly string[] | undefined,
  local: boolean,
  found: Findings,
  action: 'sql:set' | 'sql:reset' = 'sql:set',
): void {
  const setting = fold(written);
  found.changesSession = true;
  found.effects.push({ kind: 'set', setting, values, local });
  settingAct(setting, values?.[0], found, action);
}

/** Who statements run as is no setting like others. */
function settingAct(setting: string, value: string | undefined, found: Findings, action: 'sql:set' | 'sql:reset'): void {
  if (setting === 'role') found.act('sql:set-role', { type: 'Role', role: value ?? 'none' });
  else if (setting === 'session_authorization') found.act('sql:set-session-authorization', { type: 'Role', role: value ?? 'default' });
  else found.act(action, { type: 'Setting', setting });
}

/** The server looks settings up without regard to case, in ASCII only, even where the name is quoted. */
function fold(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** The argument of any number of casts around it. */
function uncast(node: unknown): unknown {
  let inner = node;
  for (let found = tagged(inner); found?.tag === 'TypeCast'; found = tagged(inner)) inner = found.body['arg'];
  return inner;
}

function isColumnName(node: unknown): boolean {
  const reference = tagged(node);
  if (reference?.tag !== 'ColumnRef') return false;
  const fields = listOf(reference.body['fields']);
  return fields.length === 1 && stringNode(fields[0]) === 'name';
}

function isKnown(value: string | undefined): value is string {
  return value !== undefined;
}

const transactionModes: ReadonlySet<string> = new Set(['transaction_isolation', 'transaction_read_only', 'transaction_deferrable']);

/** Statements that read or change rows, on their own or by a name: SELECT to MERGE, COPY, TRUNCATE, EXPLAIN, PREPARE, cursors. */
import type { Statement } from '../statement.ts';
import { currentDatabase } from './findings.ts';
import {
  bodyOf,
  constantText,
  inline,
  listOf,
  qualifiedName,
  refuse,
  relationName,
  requiredText,
  strings,
  tagged,
  text,
  type Body,
} from './nodes.ts';
import { createFromQuery, intoOf } from './query.ts';
import type { At, StatementRule } from './rule.ts';
import { checkFields } from './walk.ts';

export const rowStatements: ReadonlyMap<string, StatementRule> = new Map<string, StatementRule>([
  ['SelectStmt', select],
  ['InsertStmt', rowChange('InsertStmt', 'insert')],
  ['UpdateStmt', rowChange('UpdateStmt', 'update')],
  ['DeleteStmt', rowChange('DeleteStmt', 'delete')],
  ['MergeStmt', rowChange('MergeStmt', 'merge')],
  ['TruncateStmt', truncate],
  ['CopyStmt', copy],
  ['CreateTableAsStmt', createTableAs],
  ['RefreshMatViewStmt', refresh],
  ['ExplainStmt', explain],
  ['PrepareStmt', prepare],
  ['ExecuteStmt', execute],
  ['DeallocateStmt', deallocate],
  ['DeclareCursorStmt', declareCursor],
  ['FetchStmt', fetch],
  ['ClosePortalStmt', closeCursor],
  ['LockStmt', lock],
  ['CallStmt', call],
  ['DoStmt', do_],
]);

function select(body: Body, { found, walk, scope }: At): void {
  const into = intoOf(body);
  found.kind = into === undefined ? 'select' : 'select-into';
  found.returnsRows = into === undefined;
  literalsDecideNothing(found);
  walk.body('SelectStmt', body, scope);
  if (!found.namesRelations) found.act('sql:select', currentDatabase);
}

function rowChange(tag: string, kind: string): StatementRule {
  return (body, { found, walk, scope }) => {
    found.kind = kind;
    found.returnsRows = body['returningClause'] !== undefined;
    literalsDecideNothing(found);
    walk.body(tag, body, scope);
  };
}

function truncate(body: Body, { found }: At): void {
  found.kind = 'truncate';
  found.unbounded = true;
  for (const node of listOf(body['relations'])) found.write('sql:truncate', rangeVarName(node));
}

/** CREATE TABLE AS, CREATE MATERIALIZED VIEW; the query may be an EXECUTE. */
function createTableAs(body: Body, at: At): void {
  const { found, walk, scope } = at;
  const view = body['objtype'] === 'OBJECT_MATVIEW';
  if (!view && body['objtype'] !== 'OBJECT_TABLE') return refuse('CREATE … AS of an unknown kind');
  at.include(body['query']);
  found.kind = view ? 'create-materialized-view' : 'create-table-as';
  found.returnsRows = false;
  found.literalSensitive = true;
  createFromQuery(bodyOf(body['into']), view ? 'sql:create-materialized-view' : 'sql:create-table', scope, walk);
  // What the query mentions is what is stored; a prepared one may mention anything.
  found.launders = true;
  if (tagged(body['query'])?.tag === 'ExecuteStmt') found.mentionAll(true);
}

function refresh(body: Body, { found }: At): void {
  found.kind = 'refresh-materialized-view';
  found.write('sql:refresh', relationName(bodyOf(body['relation'])));
  // The view's own query, and the functions in it, are in the catalogue.
  found.opaque = true;
}

/** COPY between a relation or query and the client, a file of the server or a program on the server (PostgreSQL manual, COPY). */
function copy(body: Body, at: At): void {
  const { found, walk, scope } = at;
  const from = body['is_from'] === true;
  const relation = inline(body['relation']);
  const name = relation === undefined ? undefined : relationName(relation);
  const columns = strings(body['attlist']);
  const options = copyOptions(body['options']);
  if (body['query'] !== undefined) at.include(body['query']);
  found.literalSensitive = true;
  found.kind = from ? 'copy-from' : 'copy-to';
  found.returnsRows = !from;
  if (name !== undefined && from) found.write('sql:copy-from', name);
  else if (name !== undefined) {
    found.actOnRelation('sql:copy-to', name);
    found.actOnRelation('sql:select', name);
    if (columns.length === 0) found.mentionAll(false);
    for (const column of columns) found.mention(column, false);
  } else {
    for (const read of found.relations()) found.actOnRelation('sql:copy-to', read);
    if (!found.namesRelations) found.act('sql:copy-to', currentDatabase);
  }
  walk.node(body['whereClause'], scope);
  for (const column of options.columns) found.mention(column, false);
  const server = body['is_program'] === true ? 'sql:server-program' : body['filename'] === undefined ? undefined : 'sql:server-file';
  if (server === undefined) {
    found.copy = { direction: from ? 'from-client' : 'to-client', relation: name, columns, ...options.data };
    return;
  }
  found.act(server, currentDatabase);
  found.returnsRows = false;
  found.runsUnseen();
}

interface CopyOptions {
  readonly columns: readonly string[];
  readonly data: Pick<NonNullable<Statement['copy']>, 'format' | 'encoding'>;
}

function copyOptions(list: unknown): CopyOptions {
  let format: 'text' | 'csv' | 'binary' = 'text';
  let encoding: string | undefined;
  const columns: string[] = [];
  for (const { name, body } of options(list)) {
    if (!copyOptionNames.has(name)) return refuse(`unknown COPY option ${name}`);
    if (name.startsWith('force_') && tagged(body['arg'])?.tag === 'List') columns.push(...strings(tagged(body['arg'])?.body['items']));
    if (name === 'encoding') encoding = constantText(body['arg']) ?? refuse('COPY with an unreadable encoding');
    if (name === 'format') {
      const value = constantText(body['arg']);
      if (value !== 'text' && value !== 'csv' && value !== 'binary') return refuse(`unknown COPY format ${String(value)}`);
      format = value;
    }
  }
  return { columns, data: { format, encoding } };
}

/** Without ANALYZE nothing runs, though the planner may run functions that call themselves immutable or stable. */
function explain(body: Body, at: At): void {
  const { found } = at;
  const analyze = explainAnalyzes(body['options']);
  const inner = tagged(body['query']);
  if (inner === undefined || !explainable.has(inner.tag)) return refuse('EXPLAIN of an unknown statement');
  at.include(inner.tag === 'DeclareCursorStmt' ? inner.body['query'] : body['query']);
  found.kind = analyze ? 'explain-analyze' : 'explain';
  found.plannedOnly = !analyze;
  found.returnsRows = true;
  found.literalSensitive ||= listOf(body['options']).some((node) => tagged(node)?.body['arg'] !== undefined);
  for (const name of found.relations()) found.actOnRelation('sql:explain', name);
  if (!found.namesRelations) found.act('sql:explain', currentDatabase);
}

/** Any option that may mean ANALYZE counts, wherever it stands; only the server's own words for "off" do not. */
function explainAnalyzes(list: unknown): boolean {
  let analyzes = false;
  for (const { name, body } of options(list)) {
    if (!explainOptionNames.has(name)) return refuse(`unknown EXPLAIN option ${name}`);
    if (name !== 'analyze') continue;
    const value = body['arg'] === undefined ? undefined : constantText(body['arg'])?.toLowerCase();
    if (value === undefined || !['0', 'false', 'off'].includes(value)) analyzes = true;
  }
  return analyzes;
}

/** Naming only: the statement is decided on when it is executed. */
function prepare(body: Body, at: At): void {
  const { found, walk, scope } = at;
  const inner = at.summarise(body['query']);
  found.kind = 'prepare';
  found.literalSensitive = inner.literalSensitive;
  walk.nodes(body['argtypes'], scope);
  found.effects.push({ kind: 'prepare', name: requiredText(body['name'], 'statement name'), statement: inner.statement });
}

function execute(body: Body, { found, walk, scope }: At): void {
  found.kind = 'execute';
  found.returnsRows = true;
  found.changesSession = true;
  literalsDecideNothing(found);
  walk.nodes(body['params'], scope);
  found.effects.push({ kind: 'execute', name: requiredText(body['name'], 'statement name') });
}

function deallocate(body: Body, { found }: At): void {
  found.kind = 'deallocate';
  literalsDecideNothing(found);
  found.effects.push({ kind: 'deallocate', name: text(body['name']) });
}

/** Opening a cursor plans its query and FETCH runs it; it is asked about here, as a whole. */
function declareCursor(body: Body, at: At): void {
  const inner = at.summarise(body['query']);
  at.include(body['query']);
  at.found.kind = 'declare-cursor';
  at.found.returnsRows = false;
  at.found.effects.push({ kind: 'declare-cursor', name: requiredText(body['portalname'], 'cursor name'), statement: inner.statement });
}

function fetch(body: Body, { found }: At): void {
  const move = body['ismove'] === true;
  found.kind = move ? 'move' : 'fetch';
  found.returnsRows = !move;
  found.changesSession = true;
  literalsDecideNothing(found);
  found.effects.push({ kind: 'fetch', name: requiredText(body['portalname'], 'cursor name') });
}

function closeCursor(body: Body, { found }: At): void {
  found.kind = 'close-cursor';
  literalsDecideNothing(found);
  found.effects.push({ kind: 'close-cursor', name: text(body['portalname']) });
}

function lock(body: Body, { found }: At): void {
  found.kind = 'lock';
  if (body['mode'] === accessShareLock) found.changesSession = true;
  else found.changes = true;
  for (const node of listOf(body['relations'])) found.actOnRelation('sql:lock', rangeVarName(node));
}

function call(body: Body, { found, walk, scope }: At): void {
  const procedure = bodyOf(body['funccall']);
  checkFields('FuncCall', procedure);
  const name = qualifiedName(strings(procedure['funcname']));
  found.kind = 'call';
  found.returnsRows = true;
  literalsDecideNothing(found);
  found.function(name);
  found.act('sql:call', { type: 'Function', name });
  found.runsUnseen();
  walk.fields('FuncCall', procedure, scope, ['funcname']);
}

function do_(_body: Body, { found }: At): void {
  found.kind = 'do';
  found.act('sql:do', currentDatabase);
  found.runsUnseen();
}

/** Row statements hold literals as values only; what a function makes of them is the business of `set_config` alone. */
function literalsDecideNothing(found: At['found']): void {
  found.literalSensitive = false;
}

function rangeVarName(node: unknown): ReturnType<typeof relationName> {
  const found = tagged(node);
  if (found?.tag !== 'RangeVar') return refuse('a relation was expected');
  checkFields(found.tag, found.body);
  return relationName(found.body);
}

function options(list: unknown): readonly { readonly name: string; readonly body: Body }[] {
  return listOf(list).map((node) => {
    const found = tagged(node);
    if (found?.tag !== 'DefElem') return refuse('an option was expected');
    checkFields(found.tag, found.body);
    return { name: requiredText(found.body['defname'], 'option name'), body: found.body };
  });
}

/** The lock that every SELECT takes; pg_dump takes it beforehand. */
const accessShareLock = 1;

const explainable: ReadonlySet<string> = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
  'DeclareCursorStmt',
  'CreateTableAsStmt',
  'RefreshMatViewStmt',
  'ExecuteStmt',
]);

const explainOptionNames: ReadonlySet<string> = new Set(
  'analyze verbose costs settings generic_plan buffers serialize wal timing summary memory format'.split(' '),
);

const copyOptionNames: ReadonlySet<string> = new Set(
  'format freeze delimiter null default header quote escape force_quote force_not_null force_null convert_selectively encoding on_error reject_limit log_verbosity'.split(
    ' ',
  ),
);

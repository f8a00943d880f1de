import { maskProse } from '../../masking/text.ts';
import { touchedClasses, type MaskContext, type MaskFacts } from './mask-context.ts';

/**
 * Masks the fields of an ErrorResponse or NoticeResponse: field code (one character) → text (PostgreSQL documentation, "Error and Notice
 * Message Fields"). `facts`: of the statement that is running; undefined between statements, where nothing is known.
 *
 * Where the statement touches a hidden class (or may, or where code of the database raised it, whatever the statement names), detail, hint, context and the text of inner queries are withheld: they repeat rows,
 * keys and values. The message itself stays where its SQLSTATE says that it can only carry names, and where the server raised it,
 * not a procedural language, whose RAISE may put anything anywhere. The detectors run over all that stays.
 *
 * `lookedUp`: values that the client does not see are bound in this transaction (`lookup.ts`), by this statement or by one before it.
 */
export function maskFields(
  context: MaskContext,
  facts: MaskFacts | undefined,
  fields: ReadonlyMap<string, string>,
  lookedUp = false,
): ReadonlyMap<string, string> {
  const isKnown = facts !== undefined && !lookedUp && !facts.beyond && !ranCode(fields) && !isElsewhere(fields, facts);
  const touches = (isKnown ? touchedClasses(context, withBehind(facts)) : context.hidden).length > 0;
  if (!touches && context.detectors.isEmpty) return fields;
  const fromServer = !isProcedural(fields);
  const raised = { isRunning: lookedUp || facts !== undefined, ofCode: ranCode(fields) || facts?.opaque === true };
  const keepsMessage = !touches || (fromServer && carriesNamesOnly(fields, raised) && !(lookedUp && isLogged(fields)));
  const masked = new Map<string, string>();
  for (const [code, text] of fields) masked.set(code, mask(context, fields, code, text, { touches, fromServer, keepsMessage }));
  return masked;
}

/** Masks a NotificationResponse's payload: `pg_notify` can carry any value of any table, so it is withheld while any class is hidden. */
export function maskNotification(context: MaskContext, payload: string): string {
  return context.hidden.length > 0 && payload !== '' ? WITHHELD : maskProse(context.classes, context.detectors, payload);
}

/** True for a statement that cannot have put a hidden value into a setting, by a trigger neither; undefined: none is running. */
export function isPlain(context: MaskContext, facts: MaskFacts | undefined): boolean {
  return facts === undefined || (!facts.beyond && facts.written.length === 0 && touchedClasses(context, facts).length === 0);
}

/**
 * Masks a ParameterStatus value. `set_config` can put any value into a setting that takes free text; while any class is hidden, one that is not
 * known to be the client's own (`ReportedSettings`) is withheld. Settings whose values the server itself limits pass.
 */
export function maskParameterStatus(context: MaskContext, name: string, value: string, isKnown: boolean): string {
  if (LIMITED_SETTINGS.has(name)) return value;
  if (!isKnown && context.hidden.length > 0) return WITHHELD;
  return maskProse(context.classes, context.detectors, value);
}

interface Verdict {
  readonly touches: boolean;
  readonly fromServer: boolean;
  readonly keepsMessage: boolean;
}

function mask(context: MaskContext, fields: ReadonlyMap<string, string>, code: string, text: string, verdict: Verdict): string {
  if (FIXED.has(code)) return text;
  if (verdict.touches) {
    if (code === 'M' && !verdict.keepsMessage) return `message withheld by masking (SQLSTATE ${fields.get('C') ?? 'unknown'})`;
    if (NAMES.has(code) ? !verdict.fromServer : code !== 'M') return WITHHELD;
  }
  return maskProse(context.classes, context.detectors, text);
}

/** What the server writes to its log goes to a client that asks for it as well: plans (auto_explain), statements, what they took. */
function isLogged(fields: ReadonlyMap<string, string>): boolean {
  return fields.get('C') === '00000';
}

function withBehind(facts: MaskFacts): MaskFacts {
  return facts.behind.length === 0 ? facts : { ...facts, relations: [...facts.relations, ...facts.behind] };
}

/**
 * Raised by PL/pgSQL, PL/Python, PL/Perl or PL/Tcl, whose source files all begin with `pl`, or passed on from another server, where it may have
 * been: no SQL can set this field.
 */
function isProcedural(fields: ReadonlyMap<string, string>): boolean {
  const file = fields.get('F');
  return file === undefined || file.startsWith('pl') || RELAYING_FILES.has(file) || fields.has('q');
}

/**
 * Raised by code that the statement's text does not show: a function, a trigger, a domain's CHECK. The context that the server gives its own
 * reading of input ("COPY", "JSON data") is none; in another language than English it counts as one.
 */
function ranCode(fields: ReadonlyMap<string, string>): boolean {
  const lines = fields.get('W')?.split('\n') ?? [];
  return isProcedural(fields) || lines.some((line) => !line.startsWith('COPY ') && !line.startsWith('JSON data, '));
}

/**
 * A constraint of a relation that the statement does not name: checked at last (COMMIT, SET CONSTRAINTS), or of rows that go along with its
 * own (ON DELETE CASCADE, partitions).
 */
function isElsewhere(fields: ReadonlyMap<string, string>, facts: MaskFacts): boolean {
  const table = fields.get('t');
  const schema = fields.get('s');
  if (table === undefined) return false;
  return ![...facts.relations, ...facts.behind].some(
    (relation) => relation.name === table && (schema === undefined || relation.schema === schema),
  );
}

/**
 * An error of the statement's own text points at it (field P) and has no context: it repeats names that the client wrote. With one, it points into a value that was read as if it were
 * a text of SQL (a cast to regtype, 42601). Raised while the statement runs, it points nowhere, and many repeat a value as if it were a name: a cast to regclass (42P01, 0A000) or tsquery (42601),
 * `has_database_privilege` (3D000), `cursor_to_xml` (34000), dblink (08003).
 * Code can make a name of a value, and then be told that it is there already, or skipped. What is meant for a log (auto_explain, plans printed for
 * debugging) shows statements that code made, and parameters.
 */
function carriesNamesOnly(fields: ReadonlyMap<string, string>, { isRunning, ofCode }: { isRunning: boolean; ofCode: boolean }): boolean {
  const state = fields.get('C') ?? '';
  const stateClass = state.slice(0, 2);
  if (FOR_LOGS.has(fields.get('V') ?? '')) return false;
  if (ofCode && (stateClass === '00' || ALREADY_THERE.has(state))) return false;
  if (NAMING_CLASSES.has(stateClass) || ALREADY_THERE.has(state) || state === INSUFFICIENT_PRIVILEGE) return true;
  return fields.has('P') && !fields.has('W') ? stateClass === '42' || stateClass === '0A' : !isRunning && NAMING_WHEN_IDLE.has(stateClass);
}

const WITHHELD = '[withheld by masking]';
/** They report another server's error, its SQLSTATE and message, as their own: dblink, postgres_fdw, subscriptions. */
const RELAYING_FILES: ReadonlySet<string> = new Set(['dblink.c', 'connection.c', 'libpqwalreceiver.c']);
/** Severity, SQLSTATE, positions, source file, line and routine: set by the server alone. */
const FIXED: ReadonlySet<string> = new Set('SVCFLRPp');
/** Schema, table, column, data type, constraint. */
const NAMES: ReadonlySet<string> = new Set('stcdn');
/** PostgreSQL documentation, appendix A. Not 22 (data), P0 (PL/pgSQL), XX (internal) and 3F (a cast to regnamespace names the value). */
const NAMING_CLASSES: ReadonlySet<string> = new Set(['00', '23', '25', '28', '2B', '40', '53', '55', '57']);
const NAMING_WHEN_IDLE: ReadonlySet<string> = new Set(['08', '0A', '26', '34', '3D']);
/** duplicate_table, duplicate_object, duplicate_column, duplicate_database, duplicate_schema. */
const ALREADY_THERE: ReadonlySet<string> = new Set(['42P07', '42710', '42701', '42P04', '42P06']);
const INSUFFICIENT_PRIVILEGE = '42501';
const FOR_LOGS: ReadonlySet<string> = new Set(['LOG', 'DEBUG']);
/** Reported settings with an enumeration, a flag or a number, or that only the server sets. */
const LIMITED_SETTINGS: ReadonlySet<string> = new Set([
  'client_encoding',
  'DateStyle',
  'default_transaction_read_only',
  'in_hot_standby',
  'integer_datetimes',
  'IntervalStyle',
  'is_superuser',
  'scram_iterations',
  'server_encoding',
  'server_version',
  'session_authorization',
  'standard_conforming_strings',
]);

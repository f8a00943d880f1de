import { GatewayFault } from '../../core/fault.ts';
import type { Lookups } from '../../sql/lineage.ts';
import type { Analysis, Statement } from '../../sql/statement.ts';
import type { CatalogueRelation } from './catalogue.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import type { Tracer } from './understanding-lineage.ts';

/**
 * Looking up by pseudonym. A parameter that is compared for equality with a column of a class with `lookup: true` is a pseudonym wherever the
 * class is hidden: the gateway replaces it by the value whose pseudonym it is, in Bind and nowhere else. The value never stands in a
 * statement's text, because the server shows texts (`pg_stat_activity`, `pg_cursors`, `current_query()`, EXPLAIN, its log); and a parameter
 * that the statement could give back is refused.
 */
export interface LookupParameters {
  /** How the parameter of this number, from 1, is to be replaced. */
  readonly byNumber: ReadonlyMap<number, ReplacedParameter>;
  /** Classes of which a pseudonym stands in the text itself. */
  readonly constants: readonly string[];
  /** What a text is looked up by that is to go in place of the statement's own. */
  trace(sql: string): Lookups | undefined;
}

export interface ReplacedParameter {
  readonly class: string;
  readonly form: 'one' | 'array';
  readonly padded: boolean;
}

export interface FoundLookups {
  /** Classes that are looked up, sorted. */
  readonly classes: readonly string[];
  /** Undefined: nothing is to be replaced. */
  readonly parameters: LookupParameters | undefined;
  readonly refusal: GatewayFault | undefined;
}

/** `statements`: with those that EXECUTE and FETCH name. */
export function findLookups(
  analysis: Analysis,
  statements: readonly Statement[],
  relations: readonly CatalogueRelation[],
  catalogue: SchemaCatalogue,
  tracer: Tracer,
): FoundLookups {
  const found = statements.flatMap((statement) => {
    const lookups = tracer.lookups(statement);
    return lookups === undefined || isEmpty(lookups) ? [] : [{ statement, lookups }];
  });
  const [first] = found;
  if (first === undefined) return none;
  const classes = [...new Set(found.flatMap(({ lookups }) => classesOf(lookups)))].sort();
  const replaced = parametersOf(first.lookups, classes, (sql) => tracer.lookupsOf(first.statement, sql));
  const refusal =
    placeRefusal(analysis, statements, classes) ??
    (relations.some((relation) => isElsewhere(relation, catalogue))
      ? refused(classes, besideForeign, 'Look the row up first.')
      : undefined) ??
    (replaced instanceof GatewayFault ? replaced : undefined);
  return { classes, parameters: refusal === undefined && !(replaced instanceof GatewayFault) ? replaced : undefined, refusal };
}

/** Only in a row statement by itself: everything else keeps its text, or another plan, where others can read it. */
function placeRefusal(
  { statements: sent }: Analysis,
  statements: readonly Statement[],
  classes: readonly string[],
): GatewayFault | undefined {
  if (sent.length > 1) return refused(classes, 'in a text of several statements', 'Send one statement at a time.');
  const [statement] = sent;
  if (statements.length === 1 && statement !== undefined && rowKinds.has(statement.kind) && statement.copy === undefined) return undefined;
  const what = statement?.kind.replaceAll('-', ' ').toUpperCase() ?? '';
  return refused(classes, `by ${what}`, 'Send the statement by itself, with a bound parameter for the pseudonym.');
}

export function parametersOf(
  { parameters, constants }: Lookups,
  classes: readonly string[],
  trace: LookupParameters['trace'],
): LookupParameters | GatewayFault {
  const byNumber = new Map<number, ReplacedParameter>();
  for (const [number, { classes: compared, form, padded, usedOtherwise }] of parameters) {
    const [name, ...others] = compared;
    if (usedOtherwise)
      return refused(classes, `by $${number}, which the statement also uses otherwise`, 'Use a parameter of its own for the comparison.');
    if (name === undefined || others.length > 0)
      return refused(classes, `by $${number}, which is compared with columns of several classes`, 'Use one parameter for each class.');
    if (form === undefined)
      return refused(classes, `by $${number}, which stands for one value and for an array`, 'Use a parameter of its own for each.');
    byNumber.set(number, { class: name, form, padded });
  }
  return { byNumber, constants: [...new Set(constants.map((constant) => constant.class))], trace };
}

/**
 * Of a text that is prepared: its parameters are the client's, who would be told of one more. Nothing stands for nothing. `sql`: the text of
 * the statement and of no other; undefined where it stood among others.
 */
export function constantRefusal(lookups: LookupParameters | undefined, sql: string | undefined): GatewayFault | undefined {
  if (lookups === undefined || lookups.constants.length === 0) return undefined;
  const constants = sql === undefined ? undefined : lookups.trace(sql)?.constants;
  if (constants !== undefined && constants.length > 0 && constants.every(({ value }) => value === '')) return undefined;
  const how = 'with the pseudonym in the text of a statement that is prepared';
  return refused(lookups.constants, how, 'Pass it as a bound parameter ($1).');
}

/**
 * Another table of that name may hold all numbers: which of them a pseudonym meets there would say what it stands for. `shadowed`: code that
 * the gateway cannot see has run in this session and may have made a temporary one, or the session has a search path of its own.
 */
export function shadowRefusal(lookups: LookupParameters, statements: readonly Statement[], shadowed: boolean): GatewayFault | undefined {
  if (!shadowed || statements.every(({ relations }) => relations.every(({ schema }) => schema !== undefined))) return undefined;
  const classes = new Set([...lookups.constants, ...[...lookups.byNumber.values()].map((replaced) => replaced.class)]);
  return refused([...classes], 'by the name of a table alone, where code has run or a search path was set', 'Write schema.table.');
}

/** The server may hand what is compared on to another one, in a text. */
function isElsewhere(relation: CatalogueRelation, catalogue: SchemaCatalogue): boolean {
  return relation.kind === 'foreign-table' || (relation.kind === 'view' && catalogue.runsCode(relation));
}

function isEmpty({ parameters, constants }: Lookups): boolean {
  return parameters.size === 0 && constants.length === 0;
}

function classesOf({ parameters, constants }: Lookups): readonly string[] {
  return [...constants.map((constant) => constant.class), ...[...parameters.values()].flatMap((parameter) => parameter.classes)];
}

/** The refusal of a look-up: `how` completes "cannot be looked up". */
export function refused(classes: readonly string[], how: string, hint: string): GatewayFault {
  const names = classes.map((name) => `"${name}"`).join(', ');
  return new GatewayFault('masking-refused', { publicMessage: `refused: data class ${names} cannot be looked up ${how}`, hint });
}

const none: FoundLookups = { classes: [], parameters: undefined, refusal: undefined };
const besideForeign = 'beside a foreign table';
const rowKinds: ReadonlySet<string> = new Set(['select', 'insert', 'update', 'delete', 'merge']);

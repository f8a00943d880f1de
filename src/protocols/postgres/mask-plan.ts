import { assertNever, GatewayFault } from '../../core/fault.ts';
import type { MaskRule } from '../../masking/mask.ts';
import type { Lineage, Source } from '../../sql/lineage.ts';
import { createRowCells, type RowCells } from './decode-row.ts';
import { documentCellMask, searchedCellMask, wholeCellMask, type CellMask } from './mask-cell.ts';
import {
  columnClasses,
  reachedClasses,
  reachedColumns,
  relationClasses,
  sourceClasses,
  touchedClasses,
  type MaskContext,
  type MaskFacts,
} from './mask-context.ts';
import { carriesMetadataOnly } from './mask-types.ts';

/** One field of a RowDescription (PostgreSQL documentation, "Message Formats"); `format` as the Bind of this execution asked for it. */
export interface ResultField {
  readonly name: string;
  /** 0: the column comes from no table. */
  readonly tableOid: number;
  /** 0: no column of the table (or, with a table, its whole row); below 0: a system column. */
  readonly columnAttribute: number;
  readonly typeOid: number;
  /** -1: none. */
  readonly typeModifier: number;
  readonly format: 0 | 1;
}

interface ColumnPlan {
  readonly field: ResultField;
  /** The whole value is masked, by this rule. */
  readonly rule: MaskRule | undefined;
  /** Undefined: every cell of this column passes as it is. */
  readonly mask: CellMask | undefined;
}

/** How to mask the rows of one result. Valid for this field list, in these formats, under this context. */
export interface MaskPlan {
  readonly context: MaskContext;
  readonly columns: readonly ColumnPlan[];
  /** Those of `columns` that have a mask, in order. */
  readonly masked: readonly { readonly index: number; readonly mask: CellMask }[];
  /** Some of `masked` keep the lengths of their cells: rows of which no other changes are masked in place. */
  readonly masksInPlace: boolean;
  /** How the same rows are masked for records, where nothing is revealed to anyone; the plan itself where that is no different. */
  readonly record: MaskPlan;
  /** Of `maskRow`, for the row at hand and for what it writes next. */
  readonly scratch: { readonly cells: RowCells; slab: Uint8Array; used: number };
  /** No cell can need a change: rows may be forwarded unseen. */
  readonly isIdentity: boolean;
  /** `masking: strict`: the statement must be refused, and none of its rows may reach the client. */
  readonly refusal: GatewayFault | undefined;
}

/**
 * Decides, for every column of a result, whether it is masked and how, from the origin that the server names (threats: a table's oid
 * and column survive aliases, sub-selects, CTEs and no-op casts; everything computed has none).
 *
 * A value that is computed or may be (no origin, a whole row, a view's column) is never masked in part, hashed or given a pseudonym:
 * `reverse(ssn)` would turn "the last four" into the first four, and `coalesce('guess', ssn)` a hash into an oracle. It is redacted.
 *
 * With `fields` empty (a statement without rows) only the strict rule is applied.
 */
export function planColumns(context: MaskContext, facts: MaskFacts, fields: readonly ResultField[]): MaskPlan {
  const lineage = trusted(context, facts, fields);
  const origins = fields.map((field, index) => findOrigin(context, facts, field, lineage?.columns[index]));
  const columns = fields.map((field, index) => planColumn(context, field, origins[index]!));
  const masked = columns.flatMap(({ mask }, index) => (mask === undefined ? [] : [{ index, mask }]));
  return {
    context,
    columns,
    masked,
    masksInPlace: masked.some(({ mask }) => mask.inPlace !== undefined),
    get record() {
      const record = context.record === context ? this : planColumns(context.record, facts, fields);
      Object.defineProperty(this, 'record', { value: record });
      return record;
    },
    scratch: { cells: createRowCells(), slab: new Uint8Array(0), used: 0 },
    isIdentity: masked.length === 0,
    refusal: context.mode === 'strict' ? refuse(context, facts, fields, origins) : undefined,
  };
}

/** Where a result column's values come from, as far as masking is concerned. */
type Origin =
  | { readonly kind: 'clean' }
  /** A bare column: its own rules apply. */
  | { readonly kind: 'column'; readonly relation: string; readonly column: string; readonly rules: readonly Rule[] }
  /** Values of these classes may be anywhere in it. */
  | { readonly kind: 'mixed'; readonly from: string; readonly classes: readonly string[] };

interface Rule {
  readonly class: string;
  readonly path: string | undefined;
}

/**
 * The lineage, where it agrees with what the server says of the result: as many columns, and each that the server names among the sources
 * of its own. Where it errs about one, it is believed about none.
 */
function trusted(context: MaskContext, { lineage }: MaskFacts, fields: readonly ResultField[]): Lineage | undefined {
  if (lineage === undefined || lineage.columns.length !== fields.length) return undefined;
  const agrees = fields.every(({ tableOid, columnAttribute }, index) => {
    if (tableOid === 0 || columnAttribute < 0) return true;
    const column = context.catalogue.relationByOid(tableOid)?.columns.get(columnAttribute);
    return lineage.columns[index]!.some((source) => source.relation === tableOid && (columnAttribute === 0 || source.column === column));
  });
  return agrees ? lineage : undefined;
}

function findOrigin(context: MaskContext, facts: MaskFacts, field: ResultField, sources: readonly Source[] | undefined): Origin {
  if (context.hidden.length === 0) return CLEAN;
  if (field.tableOid === 0) {
    if (context.mode === 'unsafe_origin') return CLEAN;
    return mixed('an expression', sources === undefined ? reachedClasses(context, facts) : sourceClasses(context, sources));
  }
  const relation = context.catalogue.relationByOid(field.tableOid);
  if (relation === undefined) {
    const harmless = field.tableOid < FIRST_USER_OID && carriesMetadataOnly(field.typeOid);
    return harmless ? CLEAN : mixed('a table that the gateway does not know', context.hidden);
  }
  if (relation.presumed === true) return mixed('a table that may not be the one made in this session', touchedClasses(context, facts));
  const relationName = `${relation.schema}.${relation.name}`;
  if (field.columnAttribute < 0) return CLEAN;
  if (field.columnAttribute === 0) return mixed(`a whole row of ${relationName}`, relationClasses(context, relation));
  const column = relation.columns.get(field.columnAttribute);
  if (column === undefined) return mixed(`a column of ${relationName} that the gateway does not know`, context.hidden);
  const rules = (relation.rules.get(column) ?? []).filter((rule) => !context.revealed.has(rule.class));
  const classes = columnClasses(context, relation, column);
  if (classes.length > rules.length) return mixed(`${relationName}.${column}`, classes);
  return rules.length === 0 ? CLEAN : { kind: 'column', relation: relationName, column, rules };
}

function planColumn(context: MaskContext, field: ResultField, origin: Origin): ColumnPlan {
  switch (origin.kind) {
    case 'clean':
      return { field, rule: undefined, mask: searchedCellMask(context, field) };
    case 'column': {
      const whole = origin.rules.filter((rule) => rule.path === undefined);
      const rule = context.classes.strongest(whole.map((each) => each.class));
      if (rule === undefined) return { field, rule, mask: documentCellMask(context, field, origin.rules) };
      return { field, rule, mask: wholeCellMask(context, field, rule) };
    }
    case 'mixed': {
      const rule = redacting(context, origin.classes);
      return { field, rule, mask: wholeCellMask(context, field, rule) };
    }
    default:
      return assertNever(origin, 'origin');
  }
}

/** By the strongest rule of `classes`, but never in a way that depends on the value. */
function redacting(context: MaskContext, classes: readonly string[]): MaskRule {
  const rule = context.classes.strongest(classes);
  return rule?.kind === 'null' ? rule : { class: rule?.class ?? classes[0]!, kind: 'redact' };
}

function mixed(from: string, classes: readonly string[]): Origin {
  return classes.length === 0 ? CLEAN : { kind: 'mixed', from, classes };
}

/** Strict: a sensitive column may be a bare output column and nothing else. */
function refuse(
  context: MaskContext,
  facts: MaskFacts,
  fields: readonly ResultField[],
  origins: readonly Origin[],
): GatewayFault | undefined {
  for (const [index, origin] of origins.entries()) {
    if (origin.kind === 'mixed') return refusal(`output column "${fields[index]!.name}" (${origin.from})`, origin.classes);
  }
  if (facts.opaque) return context.hidden.length === 0 ? undefined : refusal('a statement whose effects cannot be seen', context.hidden);
  if (facts.lineage !== undefined) {
    for (const source of facts.lineage.used) {
      const classes = sourceClasses(context, [source]);
      if (classes.length > 0)
        return refusal(`column "${nameOf(context, source)}" used otherwise than as an output column by itself`, classes);
    }
    return undefined;
  }
  const [column] = reachedColumns(context, facts);
  if (column !== undefined) {
    const { relation } = column;
    return refusal(
      `what becomes of column "${relation.schema}.${relation.name}.${column.column}" in this statement is not certain; it`,
      column.classes,
    );
  }
  const reached = reachedClasses(context, facts);
  return reached.length === 0 ? undefined : refusal('a statement that cannot be followed', reached);
}

function nameOf(context: MaskContext, source: Source): string {
  const relation = context.catalogue.relationByOid(source.relation);
  return relation === undefined ? source.column : `${relation.schema}.${relation.name}.${source.column}`;
}

function refusal(what: string, classes: readonly string[]): GatewayFault {
  return new GatewayFault('masking-refused', {
    publicMessage: `masking is strict on this target: ${what} can show data class ${classes.map((name) => `"${name}"`).join(', ')}`,
    hint: 'Select the column by itself, without an expression, a condition or a whole-row reference; it is then shown masked.',
  });
}

const CLEAN: Origin = { kind: 'clean' };
/** FirstNormalObjectId of the server: lower oids belong to the server itself. */
const FIRST_USER_OID = 16_384;

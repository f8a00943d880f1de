import { GatewayFault } from '../../core/fault.ts';
import type { ActionName } from '../../core/operation.ts';
import type { QualifiedName, Statement } from '../../sql/statement.ts';
import type { CatalogueRelation } from './catalogue.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';

/** What happened to views since the catalogue was read: in this session's transaction, or by a statement that was just sent. */
export interface ViewChanges {
  readonly made: readonly MadeView[];
  /** A view may have another name now, or stand in another schema: any name may be it. */
  readonly moved: boolean;
}

/** A view made or replaced, by name alone: which one of that name is not known. */
export interface MadeView {
  readonly name: string;
  /** Every relation that its definition names. */
  readonly on: readonly QualifiedName[];
}

/** From where writes are looked at. */
interface From {
  readonly catalogue: SchemaCatalogue;
  /** Relations that this session made and the catalogue has not seen. */
  readonly made: ReadonlySet<string>;
  readonly views?: ViewChanges;
}

export const noViewChanges: ViewChanges = { made: [], moved: false };

/**
 * Relations beside the named one about which policy is asked as well: a write to a view is a write to what it stands on, and what is done
 * to a part is done to its parents. Reading a view is its owner's decision, as it is in PostgreSQL.
 */
export function alsoReached(action: ActionName, relation: CatalogueRelation, { catalogue }: From): readonly CatalogueRelation[] {
  const reaches = writing.has(action) || (relation.kind !== 'view' && reading.has(action));
  return reaches ? (catalogue.writesThrough(relation) ?? []) : [];
}

/**
 * The same for a view that the catalogue has not seen: every name in its definition, through other such views. The server resolved them when the view
 * was made, so that each means all relations of that name. Undefined where no view of this name was made.
 */
export function alsoNamed(action: ActionName, name: QualifiedName, { views = noViewChanges }: From): readonly QualifiedName[] | undefined {
  if (!writing.has(action) || !views.made.some((view) => view.name === name.name)) return undefined;
  const seen = new Set<string>();
  const names: QualifiedName[] = [];
  const follow = (one: string): void => {
    if (seen.has(one)) return;
    seen.add(one);
    for (const view of views.made) {
      if (view.name !== one) continue;
      for (const other of view.on) {
        if (other.name !== one) names.push(other);
        follow(other.name);
      }
    }
  };
  follow(name.name);
  return names;
}

export function viewChanges(statements: readonly Statement[], from: From): ViewChanges {
  const made = statements.flatMap(({ acts, relations }) =>
    acts.flatMap(({ action, object }) =>
      action === 'sql:create-view' && object.type === 'Relation' ? [{ name: object.name.name, on: relations }] : [],
    ),
  );
  return made.length === 0 && !statements.some((one) => moves(one, from))
    ? noViewChanges
    : { made, moved: statements.some((one) => moves(one, from)) };
}

export function joinedChanges(one: ViewChanges, other: ViewChanges): ViewChanges {
  if (other === noViewChanges) return one;
  return { made: [...one.made, ...other.made], moved: one.moved || other.moved };
}

/** What writes, or may. It has to wait until it is known what became of the views. */
export function mayWrite({ written, sessionEffects }: Statement): boolean {
  return written.length > 0 || sessionEffects.some(({ kind }) => kind === 'execute');
}

/**
 * Why no policy can be asked about a write: which table it changes is not known, or it changes a setting. `from.views`: with what the statements
 * themselves do to views.
 */
export function viewWriteRefusal(statements: readonly Statement[], from: From): GatewayFault | undefined {
  for (const statement of statements) {
    for (const name of writtenNames(statement)) {
      if (from.views?.moved === true) return unsettledView(name);
      const beneath = alsoNamed('sql:update', name, from);
      for (const each of [name, ...(beneath ?? [])]) {
        const meant = from.catalogue.relationsNamed(each);
        if (each !== name && meant.length === 0 && !isMade(each, from)) return unsettledView(name);
        for (const relation of meant) {
          const through = relation.kind === 'view' ? from.catalogue.writesThrough(relation) : [];
          if (through === undefined) return unknownView(name);
          if (through.some(isSettings) || (each !== name && isSettings(relation))) return settingsView(name);
        }
      }
    }
  }
  return undefined;
}

/** Save those that it makes itself. */
function writtenNames({ acts, written }: Statement): readonly QualifiedName[] {
  const made = acts.filter(({ action }) => action.startsWith('sql:create-'));
  return written.filter((name) => !made.some(({ object }) => object.type === 'Relation' && object.name.name === name.name));
}

/** A new name or schema for what may be a view. The analysis says so by counting all that it shows as copied. */
function moves({ kind, mentionsAll, acts }: Statement, from: From): boolean {
  if (kind === 'alter-schema') return true;
  if (!movingKinds.has(kind) || !mentionsAll) return false;
  return acts.some(({ object }) => {
    if (object.type !== 'Relation') return false;
    const found = from.catalogue.relationsNamed(object.name);
    const isNew = found.length === 0 && !from.made.has(object.name.name);
    return (
      isNew ||
      found.some((relation) => relation.kind === 'view') ||
      from.views?.made.some((view) => view.name === object.name.name) === true
    );
  });
}

function isMade({ name }: QualifiedName, { made, views }: From): boolean {
  return made.has(name) || views?.made.some((view) => view.name === name) === true;
}

function isSettings({ schema, name }: CatalogueRelation): boolean {
  return schema === 'pg_catalog' && name === 'pg_settings';
}

function unsettledView({ name }: QualifiedName): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: `what a write to "${name}" would change is not known before the transaction ends that renamed or moved a view`,
    hint: 'Commit the change of the view first, or write to the table itself.',
  });
}

function unknownView({ name }: QualifiedName): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: `what the view "${name}" stands on could not be understood, so nothing can be written through it`,
    hint: 'Write to the table itself.',
  });
}

function settingsView({ name }: QualifiedName): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: `a write to "${name}" changes settings of the session`,
    hint: 'Settings are changed with SET, not by writing to pg_settings.',
  });
}

const writing: ReadonlySet<ActionName> = new Set(['sql:insert', 'sql:update', 'sql:delete', 'sql:truncate', 'sql:copy-from', 'sql:lock']);
const reading: ReadonlySet<ActionName> = new Set(['sql:select', 'sql:copy-to']);
const movingKinds: ReadonlySet<string> = new Set(['alter-view', 'alter-table']);

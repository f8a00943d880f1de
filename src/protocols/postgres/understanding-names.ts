import type { Act, ObjectRef } from '../../core/operation.ts';
import type { QualifiedName, SqlAct, SqlObjectName, Statement } from '../../sql/statement.ts';
import type { CatalogueRelation } from './catalogue.ts';
import { databaseObject, functionObject, relationObject, roleObject, schemaObject, settingObject } from './objects.ts';
import { isFreeSetting, isGatewaySetting } from './settings.ts';
import type { Sight } from './understanding.ts';
import { alsoNamed, alsoReached } from './view-writes.ts';

/** Names as a session's catalogue knows them: what they may mean, and the acts on that. Remembers on the way what it could not be certain of. */
export class Resolver {
  readonly #sight: Sight;
  opaque = false;
  unknown = false;
  wholeRows = false;

  constructor(sight: Sight) {
    this.#sight = sight;
  }

  relations(names: readonly QualifiedName[]): readonly CatalogueRelation[] {
    const found = new Map<number, CatalogueRelation>();
    for (const name of names) {
      const meant = this.#sight.catalogue.relationsNamed(name);
      // The storage of long values is in no catalogue, and nothing of its name was made here.
      const isMade = this.#sight.made.has(name.name) && name.schema !== 'pg_toast';
      if (meant.length === 0 && !isMade) this.unknown = true;
      for (const relation of meant) found.set(relation.oid, relation);
    }
    return [...found.values()];
  }

  acts(statement: Statement): readonly Act[] {
    const { catalogue, place } = this.#sight;
    const acts = statement.acts.flatMap((act) => this.#act(act));
    const calls = (name: QualifiedName): void => {
      this.opaque = true;
      acts.push({ action: 'sql:call-function', object: functionObject(place, name.schema ?? defaultSchema, name.name) });
    };
    // The server may prefer a function or an operator that was made here to its own of the same name.
    for (const name of statement.functions) if (name.schema === undefined && catalogue.hasUserFunction(name.name)) calls(name);
    for (const name of statement.operators) if (name.schema === undefined && catalogue.hasUserOperator(name.name)) calls(name);
    for (const attribute of statement.attributes) {
      if (!catalogue.hasUserFunction(attribute) || this.#isColumn(statement, attribute)) continue;
      this.wholeRows = true;
      calls({ schema: undefined, name: attribute });
    }
    return acts;
  }

  /** `c.x` is a column where one of that name exists, else the function `x` called with the row. */
  #isColumn(statement: Statement, attribute: string): boolean {
    return this.relations(statement.relations).some((relation) => [...relation.columns.values()].includes(attribute));
  }

  #act(act: SqlAct): readonly Act[] {
    if (act.object.type === 'Setting' && isGatewaySetting(act.object.setting)) return [];
    if (act.action === 'sql:set' && act.object.type === 'Setting' && isFreeSetting(act.object.setting)) return [];
    const objects = act.object.type === 'Relation' ? this.#relations(act.action, act.object.name) : this.#objects(act.object);
    return objects.map((object) => ({ action: act.action, object }));
  }

  /** With those that the act reaches through it. What a view that was just made has of triggers and rules is not known. */
  #relations(action: SqlAct['action'], name: QualifiedName): readonly ObjectRef[] {
    const beneath = alsoNamed(action, name, this.#sight);
    if (beneath === undefined) return this.#reached(action, name);
    this.opaque = true;
    return [name, ...beneath].flatMap((each) => this.#reached(action, each));
  }

  #reached(action: SqlAct['action'], name: QualifiedName): readonly ObjectRef[] {
    const { catalogue, place } = this.#sight;
    const found = catalogue.relationsNamed(name);
    const reached = found.flatMap((relation) => alsoReached(action, relation, this.#sight));
    if (reached.length === 0) return this.#objects({ type: 'Relation', name });
    return [...new Set([...found, ...reached])].map((relation) => relationObject(place, relation.schema, relation.name));
  }

  /** A name that may mean several things means all of them: the most restricted one decides. */
  #objects(name: SqlObjectName): readonly ObjectRef[] {
    const { place } = this.#sight;
    switch (name.type) {
      case 'Relation': {
        const found = this.#sight.catalogue.relationsNamed(name.name);
        if (found.length > 0) return found.map((relation) => relationObject(place, relation.schema, relation.name));
        return [relationObject(place, name.name.schema ?? defaultSchema, name.name.name)];
      }
      case 'Function':
        return [functionObject(place, name.name.schema ?? defaultSchema, name.name.name)];
      case 'Schema':
        return [schemaObject(place, name.schema)];
      case 'Database':
        return [databaseObject(place.target, name.database ?? place.databaseName)];
      case 'Setting':
        return [settingObject(place, name.setting)];
      case 'Role':
        return [roleObject(place, name.role)];
    }
  }
}

const defaultSchema = 'public';

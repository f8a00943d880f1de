import type { Analysis, SessionEffect, Statement } from '../../sql/statement.ts';
import type { FieldDescription, Format } from './messages.ts';
import type { NamedStatements, Understanding, Sight } from './understanding.ts';

/** A statement under a name: by Parse or by SQL PREPARE, which share one name space (threats: Bind can run a SQL-prepared DELETE). */
export interface PreparedStatement {
  readonly name: string;
  /** As sent; empty for SQL PREPARE, whose text stood in another statement. */
  readonly text: string;
  readonly analysis: Analysis;
  readonly parameterTypes: readonly number[];
  /** Its result's columns, once the server described them; `null`: it returns none. */
  fields: readonly FieldDescription[] | null | undefined;
  /** Valid only for the sight it was made from. */
  understood: { readonly sight: Sight; readonly understanding: Understanding } | undefined;
}

/** A portal by Bind, or a SQL cursor: one name space too. */
export interface Portal {
  readonly name: string;
  readonly statement: PreparedStatement;
  readonly resultFormats: readonly Format[];
  fields: readonly FieldDescription[] | null | undefined;
}

/** Names of one session as the server has them: changed only by what the server confirmed. */
export class Names implements NamedStatements {
  readonly statements = new Map<string, PreparedStatement>();
  readonly portals = new Map<string, Portal>();

  statement(name: string): Statement | undefined {
    return single(this.statements.get(name));
  }

  cursor(name: string): Statement | undefined {
    return single(this.portals.get(name)?.statement);
  }

  /** What one completed statement did to the names. */
  apply(effects: readonly SessionEffect[]): void {
    for (const effect of effects) this.#apply(effect);
  }

  #apply(effect: SessionEffect): void {
    switch (effect.kind) {
      case 'prepare':
        this.statements.set(effect.name, fromSql(effect.name, effect.statement));
        return;
      case 'declare-cursor':
        this.portals.set(effect.name, {
          name: effect.name,
          statement: fromSql('', effect.statement),
          resultFormats: [],
          fields: undefined,
        });
        return;
      case 'deallocate':
        forget(this.statements, effect.name);
        return;
      case 'close-cursor':
        forget(this.portals, effect.name);
        return;
      case 'discard':
        if (effect.what !== 'all') return;
        this.statements.clear();
        this.portals.clear();
        return;
      default:
        return;
    }
  }
}

/** Formats as Bind gives them: none is text for all, one is for all, else one a column. */
export function withFormats(fields: readonly FieldDescription[], formats: readonly Format[]): readonly FieldDescription[] {
  return fields.map((field, index) => ({ ...field, format: (formats.length === 1 ? formats[0] : formats[index]) ?? 0 }));
}

function forget<V>(names: Map<string, V>, name: string | undefined): void {
  if (name === undefined) names.clear();
  else names.delete(name);
}

function fromSql(name: string, statement: Statement): PreparedStatement {
  return {
    name,
    text: '',
    analysis: { statements: [statement], literalSensitive: true },
    parameterTypes: [],
    fields: undefined,
    understood: undefined,
  };
}

/** A statement text of several statements cannot be prepared, so there is one, or none in an empty text. */
function single(prepared: PreparedStatement | undefined): Statement | undefined {
  return prepared?.analysis.statements[0];
}

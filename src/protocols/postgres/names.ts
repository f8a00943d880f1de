import { GatewayFault } from '../../core/fault.ts';
import type { Analysis, SessionEffect, Statement } from '../../sql/statement.ts';
import type { FieldDescription, Format, NameSpace } from './messages.ts';
import type { Asked } from './operation.ts';
import type { NamedStatements } from './understanding.ts';

/** A statement under a name: by Parse or by SQL PREPARE, which share one name space (threats: Bind can run a SQL-prepared DELETE). */
export interface PreparedStatement {
  readonly name: string;
  /** As sent; for SQL PREPARE and DECLARE the whole text in which they stood, as the server keeps it. */
  readonly text: string;
  /** By SQL: `text` is that of another statement, or of several. */
  readonly bySql?: true;
  /** How that text stands on record, where more than this statement decided what of it is withheld (PREPARE, DECLARE). */
  readonly recorded?: string | undefined;
  readonly analysis: Analysis;
  readonly parameterTypes: readonly number[];
  /** It runs what another name means when it runs (EXECUTE, FETCH): nothing that was found out about it stays true. */
  readonly byName: boolean;
  /** Its result's columns, once the server described them; `null`: it returns none. */
  fields: readonly FieldDescription[] | null | undefined;
}

/** A portal by Bind, or a SQL cursor: one name space too. */
export interface Portal {
  readonly name: string;
  readonly statement: PreparedStatement;
  /** What was asked for at Bind, in bytes of its own; undefined for a SQL cursor. */
  readonly asked: Asked | undefined;
  readonly resultFormats: readonly Format[];
  fields: readonly FieldDescription[] | null | undefined;
  /** An Execute of it was forwarded. */
  started: boolean;
  /** Values stand in it in place of pseudonyms. */
  readonly looksUp?: boolean;
  /** What its earlier Executes have shown, where that is limited. */
  shown?: { readonly rows: number; readonly bytes: number };
}

/** A text as it was sent, and as it stands on record; undefined: that depends on who looks. */
export interface SourceText {
  readonly text: string;
  readonly recorded?: string | undefined;
}

/** Names of one session as the server has them: changed only by what the server confirmed. */
export class Names implements NamedStatements {
  readonly #statements = new Map<string, PreparedStatement>();
  readonly #portals = new Map<string, Portal>();
  #textLength = 0;
  #version = 0;
  #unseen = false;

  /** Another number whenever a name came, went or got another meaning. */
  get version(): number {
    return this.#version;
  }

  prepared(name: string): PreparedStatement | undefined {
    return this.#statements.get(name);
  }

  portal(name: string): Portal | undefined {
    return this.#portals.get(name);
  }

  statement(name: string): Statement | undefined {
    const statement = single(this.#statements.get(name));
    return statement === 'not followed' ? undefined : statement;
  }

  cursor(name: string): Statement | 'not followed' | undefined {
    return single(this.#portals.get(name)?.statement);
  }

  /** Code that the gateway cannot see is about to run: it may name statements and cursors, or forget them. */
  ranUnseen(): void {
    this.#unseen = true;
  }

  mayExist(what: NameSpace, name: string): boolean {
    return this.#unseen || (what === 'S' ? this.#statements : this.#portals).has(name);
  }

  /** Throws `limit-exceeded` where a session keeps more names than the gateway is willing to. */
  prepare(statement: PreparedStatement): void {
    this.#version += 1;
    this.#textLength += statement.text.length - (this.#statements.get(statement.name)?.text.length ?? 0);
    this.#statements.set(statement.name, statement);
    if (this.#statements.size > maxNames || this.#textLength > maxTextLength) throw tooMany('prepared statements');
  }

  open(portal: Portal): void {
    this.#version += 1;
    this.#portals.set(portal.name, portal);
    if (this.#portals.size > maxNames) throw tooMany('portals');
  }

  close(what: NameSpace, name: string): void {
    this.#version += 1;
    if (what === 'P') this.#portals.delete(name);
    else {
      this.#textLength -= this.#statements.get(name)?.text.length ?? 0;
      this.#statements.delete(name);
    }
  }

  /** No transaction is open: portals by Bind ended with the last one. A SQL cursor may be WITH HOLD. */
  transactionEnded(): void {
    for (const portal of this.#portals.values()) if (portal.asked !== undefined) this.close('P', portal.name);
  }

  /** The texts behind the names that a statement runs (EXECUTE, FETCH), as far as they are known. */
  behind(statements: readonly Statement[]): readonly SourceText[] {
    const texts: SourceText[] = [];
    for (const { sessionEffects } of statements) {
      for (const effect of sessionEffects) {
        const found =
          effect.kind === 'execute'
            ? this.#statements.get(effect.name)
            : effect.kind === 'fetch'
              ? this.#portals.get(effect.name)?.statement
              : undefined;
        if (found !== undefined) texts.push({ text: found.text, recorded: found.recorded });
      }
    }
    return texts;
  }

  /** What one completed statement of the text `source` did to the names. */
  apply(effects: readonly SessionEffect[], source: SourceText): void {
    for (const effect of effects) this.#apply(effect, source);
  }

  #apply(effect: SessionEffect, source: SourceText): void {
    switch (effect.kind) {
      case 'prepare':
        this.prepare(fromSql(effect.name, effect.statement, source));
        return;
      case 'declare-cursor':
        this.open({
          name: effect.name,
          statement: fromSql('', effect.statement, source),
          asked: undefined,
          resultFormats: [],
          fields: undefined,
          started: false,
        });
        return;
      case 'deallocate':
        this.#forget('S', effect.name);
        return;
      case 'close-cursor':
        this.#forget('P', effect.name);
        return;
      case 'discard':
        if (effect.what !== 'all') return;
        this.#forget('S', undefined);
        this.#forget('P', undefined);
        return;
      default:
        return;
    }
  }

  #forget(what: NameSpace, name: string | undefined): void {
    if (name !== undefined) this.close(what, name);
    else for (const each of (what === 'S' ? this.#statements : this.#portals).keys()) this.close(what, each);
  }
}

/** True where one of the statements runs what another name means when it runs. */
export function runsByName(statements: readonly Statement[]): boolean {
  return statements.some((one) => one.sessionEffects.some((effect) => effect.kind === 'execute' || effect.kind === 'fetch'));
}

/** Formats as Bind gives them: none is text for all, one is for all, else one a column. */
export function withFormats(fields: readonly FieldDescription[], formats: readonly Format[]): readonly FieldDescription[] {
  return fields.map((field, index) => ({ ...field, format: (formats.length === 1 ? formats[0] : formats[index]) ?? 0 }));
}

/** What the server will have said of the portal's columns when its rows come; undefined: nothing that is still true. */
export function describedFields(portal: Portal): readonly FieldDescription[] | null | undefined {
  return portal.fields ?? (portal.statement.byName ? undefined : portal.statement.fields);
}

function fromSql(name: string, statement: Statement, source: SourceText): PreparedStatement {
  return {
    name,
    ...source,
    bySql: true,
    analysis: { statements: [statement], literalSensitive: true },
    parameterTypes: [],
    byName: runsByName([statement]),
    fields: undefined,
  };
}

/**
 * A statement text of several statements cannot be prepared, so there is one, or none in an empty text. What runs another by name is
 * not followed: a portal of it may hold rows of what that name meant before.
 */
function single(prepared: PreparedStatement | undefined): Statement | 'not followed' | undefined {
  return prepared?.byName === true ? 'not followed' : prepared?.analysis.statements[0];
}

function tooMany(what: string): GatewayFault {
  return new GatewayFault('limit-exceeded', {
    publicMessage: `this session has too many ${what}`,
    hint: 'Close those that are no longer needed.',
  });
}

const maxNames = 20_000;
const maxTextLength = 64 * 1024 * 1024;

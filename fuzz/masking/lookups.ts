import { canary } from './canaries.ts';
import { relations } from './schema.ts';

/**
 * Statements name the pseudonym of row n as `@coden@` where they compare it with its column, and as `@seenn@` anywhere else: both are the
 * pseudonym on the way through the gateway, and only the first is the value where the database is asked directly.
 */
export class Lookups {
  readonly #pseudonyms: readonly (string | null)[];

  constructor(pseudonyms: readonly (string | null)[]) {
    this.#pseudonyms = pseudonyms;
  }

  /** As a client writes it that has seen the pseudonyms. */
  seen(sql: string): string {
    return qualified(sql).replaceAll(placeholder, (_, _kind: string, row: string) => this.#pseudonyms[Number(row)] ?? 'none');
  }

  /** As one writes it that has seen the values. */
  direct(sql: string): string {
    return this.seen(sql.replaceAll(/@code(\d)@/g, (_, row: string) => canary.code(Number(row))));
  }

  /** As the first, with parameters; one for all that are the same, or one for each. */
  bound(sql: string): { readonly text: string; readonly values: readonly string[] } {
    const isShared = sql.length % 2 === 0;
    const qualifiedSql = qualified(sql);
    const values: string[] = [];
    const text = qualifiedSql.replaceAll(/'(\{?@(?:code|seen)\d@[^']*)'/g, (_, literal: string) => {
      const value = this.seen(literal);
      const known = isShared ? values.indexOf(value) : -1;
      return `$${known >= 0 ? known + 1 : values.push(value)}`;
    });
    return { text, values };
  }
}

/** After code has run in the session, the gateway looks up only in tables that are named with their schema. */
function qualified(sql: string): string {
  return looksUp(sql) ? sql.replaceAll(stored, '$1 public.$2') : sql;
}

export function looksUp(sql: string): boolean {
  return sql.includes('@code');
}

const names = relations.filter(({ kind }) => kind !== 'function').map(({ name }) => name);
const stored = new RegExp(String.raw`\b(from|join|update|into) (${names.join('|')})\b(?! *[(.])`, 'g');
const placeholder = /@(code|seen)(\d)@/g;

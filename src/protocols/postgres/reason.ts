import { escapeLine } from '../../core/escape.ts';
import type { SessionEffect, Statement } from '../../sql/statement.ts';
import type { Settings } from './settings.ts';

/** The setting that the gateway keeps for itself; the target never hears of it. */
export const reasonSetting = 'sallyport.reason';

/** `SET sallyport.reason`, `value` undefined: back to what was stated at startup. */
export interface ReasonChange {
  readonly value: string | undefined;
  /** What the server's answer to such a statement would be. */
  readonly tag: 'SET' | 'RESET';
}

/**
 * Why this session does what it does, as its client says: in the statement's leading comment, else by `SET sallyport.reason` or the
 * startup parameter of that name, else by an `application_name` that begins with `reason:`. Stated, never believed.
 */
export class Reasons {
  readonly #atStartup: string | undefined;
  #set: string | undefined;
  #application: string | undefined;

  constructor(settings: Settings) {
    this.#atStartup = settings.reason;
    this.#set = settings.reason;
    this.#application = afterPrefix(settings.values.get('application_name') ?? '');
  }

  /** Bounded, on one line; undefined where none is stated. */
  of(statement: string): string | undefined {
    const stated = leadingReason(statement) ?? this.#set ?? this.#application;
    return stated === undefined ? undefined : bounded(stated);
  }

  change({ value }: ReasonChange): void {
    this.#set = value ?? this.#atStartup;
  }

  /** What a completed statement did to it: DISCARD ALL and RESET ALL make a session fresh for its next user. */
  apply(effects: readonly SessionEffect[]): void {
    for (const effect of effects) {
      const fresh = effect.kind === 'discard' ? effect.what === 'all' : effect.kind === 'set' && effect.setting === 'all';
      if (fresh) this.#set = this.#atStartup;
    }
  }

  /** As the server reports it. */
  applicationBecame(name: string): void {
    this.#application = afterPrefix(name);
  }
}

/** What a text that is one `SET sallyport.reason` or RESET changes; undefined for any other text. */
export function reasonChange(statements: readonly Statement[]): ReasonChange | undefined {
  const [statement, ...more] = statements;
  if (statement === undefined || more.length > 0 || (statement.kind !== 'set' && statement.kind !== 'reset')) return undefined;
  const [effect, ...others] = statement.sessionEffects;
  if (effect?.kind !== 'set' || effect.setting !== reasonSetting || others.length > 0) return undefined;
  if (effect.local || (effect.values !== undefined && effect.values.length !== 1)) return undefined;
  return { value: emptyIsNone(effect.values?.[0]), tag: statement.kind === 'set' ? 'SET' : 'RESET' };
}

/** Of `/* reason: … *\/` in front of everything else. A comment within the comment is none: where it ends must not be in doubt. */
function leadingReason(statement: string): string | undefined {
  let at = 0;
  while (whiteSpace.includes(statement[at] ?? 'x')) at += 1;
  if (!statement.startsWith('/*', at)) return undefined;
  const end = statement.indexOf('*/', at + 2);
  const comment = end < 0 ? '' : statement.slice(at + 2, end);
  return comment.includes('/*') ? undefined : afterPrefix(comment);
}

function afterPrefix(text: string): string | undefined {
  const trimmed = text.trimStart();
  return trimmed.slice(0, prefix.length).toLowerCase() === prefix ? emptyIsNone(trimmed.slice(prefix.length)) : undefined;
}

function emptyIsNone(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text.trim();
}

function bounded(text: string): string {
  return escapeLine(text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text);
}

const prefix = 'reason:';
const whiteSpace = ' \t\n\r\f';
const mostCharacters = 256;

import { speaksOfCredential } from './credentials.ts';
import { isConditional, isOfOneTry, isPartial, spelledOut, staysHere } from './head-names.ts';
import { asVariable } from './path.ts';

/** Names of parameters and of header fields whose values policy may go by. What it is told must be what the target reads, and must be fit for the record. */

/** Why policy cannot go by the parameter of this name; undefined: it can. */
export function unfitParameter(name: string): string | undefined {
  return speaksOfCredential(name) ? 'may carry a credential, which would stand on record' : undefined;
}

/** The same of a header field. */
export function unfitField(name: string): string | undefined {
  const spelled = spelledOut(name);
  // Of `sec-websocket-protocol`: clients that can set no field of their own put their token there.
  if (speaksOfCredential(spelled) || spelled === 'sec-websocket-protocol') return 'may carry a credential, which would stand on record';
  if (staysHere(spelled)) return 'never reaches the target';
  if (isPartial(spelled) || isConditional(spelled)) return 'does not reach the target where something is hidden';
  return isOfOneTry(spelled) ? 'is another one in each try, so that no approval binds it' : undefined;
}

/**
 * What a parameter's name is made of for servers that read it most freely: without case and accents, by the names that PHP gives to variables, in parts by brackets
 * (`a[b][]`).
 */
export function parameterParts(name: string): readonly string[] {
  // To upper case and back: the capital of U+0131, an i without its dot, is I.
  const folded = name.normalize('NFKD').replace(/\p{M}/gu, '').toUpperCase().toLowerCase();
  return folded
    .split(/[[\]]/)
    .filter((part) => part !== '')
    .map(asVariable);
}

/** Whether some server takes two parameters of these parts for one, or the one for a part of the other. */
export function mayBeOneParameter(one: readonly string[], other: readonly string[]): boolean {
  const shared = Math.min(one.length, other.length);
  return shared > 0 && one.slice(0, shared).every((part, index) => part === other[index]);
}

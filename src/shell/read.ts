import { GatewayFault } from '../core/fault.ts';
import type { CommandReading, SimpleCommand } from './reading.ts';
import { programFacts } from './programs.ts';
import { quoted } from './quote.ts';
import { Syntax, type SyntaxName } from './syntax.ts';
import { readTree } from './tree.ts';
import { literalWords } from './words.ts';

/**
 * Reads a command line. Simple only where two readings agree that it is one: our own, which knows nothing but characters that mean the same to every shell, and that of a complete
 * parser (`tree.ts`). A fault where it is too long or no shell could run it: then it is refused, whatever policy says.
 */
export function readCommand(text: string): CommandReading | GatewayFault {
  if (text.length > mostCharacters) {
    return new GatewayFault('limit-exceeded', { publicMessage: `a command is longer than ${mostCharacters} characters` });
  }
  if (text.includes('\0') || !text.isWellFormed()) return unclassified('it holds characters that no command can have');
  const tree = readTree(text);
  if (tree instanceof GatewayFault) return tree;
  const words = literalWords(text);
  if (Array.isArray(words)) {
    const argv = words as readonly string[];
    if (tree.argv !== undefined && isSame(argv, tree.argv)) return simple(argv);
    return { kind: 'script', syntax: [...new Set([...tree.syntax, Syntax.ambiguous])].toSorted(), facts: tree.facts };
  }
  return { kind: 'script', syntax: namesOf(words as ReadonlySet<SyntaxName>, tree.syntax), facts: tree.facts };
}

function simple(argv: readonly string[]): SimpleCommand {
  return { kind: 'simple', argv, canonical: quoted(argv), facts: programFacts([argv]) };
}

/** The parser knows better what a character stands for; what it has no name for, our own reading has. */
function namesOf(reasons: ReadonlySet<SyntaxName>, tree: ReadonlySet<SyntaxName>): readonly SyntaxName[] {
  const own = [...reasons].filter((reason) => ownReasons.has(reason));
  const known = new Set([...tree, ...own]);
  return [...(known.size === 0 ? reasons : known)].toSorted();
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((word, index) => word === other[index]);
}

export function unclassified(why: string): GatewayFault {
  return new GatewayFault('unclassified', { publicMessage: `the command cannot be understood: ${why}` });
}

const ownReasons: ReadonlySet<SyntaxName> = new Set([
  Syntax.newline,
  Syntax.tilde,
  Syntax.comment,
  Syntax.history,
  Syntax.equals,
  Syntax.job,
  Syntax.control,
  Syntax.encoding,
  Syntax.option,
  Syntax.nothing,
]);
/** In UTF-16 units. OpenSSH bounds a channel request at 256 KiB; nobody types so much. */
const mostCharacters = 65_536;

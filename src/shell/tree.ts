import { forEachChild, parse, type Command, type SyntaxNode, type Word } from 'unbash';
import { GatewayFault } from '../core/fault.ts';
import type { CommandFacts } from './reading.ts';
import { programFacts } from './programs.ts';
import { Syntax, type SyntaxName } from './syntax.ts';

/** What a complete parser of shell language makes of a text. */
export interface Tree {
  readonly syntax: ReadonlySet<SyntaxName>;
  /** The words, where the text is one simple command of literal words and nothing else. */
  readonly argv: readonly string[] | undefined;
  readonly facts: CommandFacts;
}

/** A fault where the parser finds a mistake anywhere, within substitutions too. */
export function readTree(text: string): Tree | GatewayFault {
  const walk = new Walk();
  const script = parse(text);
  try {
    walk.visit(script);
  } catch (error) {
    // Its limit of nesting, for one.
    return new GatewayFault('unclassified', { publicMessage: 'the command cannot be understood: it is too deep', cause: error });
  }
  if (walk.problem !== undefined)
    return new GatewayFault('unclassified', { publicMessage: `the command cannot be understood: ${walk.problem}` });
  const [statement, ...others] = script.commands;
  const command = statement?.command;
  const argv = others.length === 0 && command?.type === 'Command' && walk.syntax.size === 0 ? wordsOf(command) : undefined;
  if (script.commands.length > 1) walk.syntax.add(Syntax.list);
  if (statement === undefined) walk.syntax.add(Syntax.nothing);
  return {
    syntax: walk.syntax,
    argv,
    facts: { ...programFacts(walk.lines), writesFile: walk.writes || programFacts(walk.lines).writesFile },
  };
}

/** Every node once. What makes a command more than its words is noted; what a word holds is known by its parts. */
class Walk {
  readonly syntax = new Set<SyntaxName>();
  /** The literal words of each command, its program first; a word that is not literal is left out. */
  readonly lines: (readonly string[])[] = [];
  writes = false;
  problem: string | undefined;

  visit(node: SyntaxNode): void {
    if (node.type === 'Script')
      this.problem ??= (node as { readonly errors?: readonly { readonly message: string }[] }).errors?.[0]?.message;
    const name = named(node);
    if (name !== undefined) this.syntax.add(name);
    if (node.type === 'Command') this.#command(node);
    else if (node.type === 'Statement' && node.background === true) this.syntax.add(Syntax.background);
    else if (node.type === 'Redirect') this.writes ||= isWriting(node.operator) && literalOf(node.target) !== '/dev/null';
    forEachChild(node, (child) => this.visit(child));
  }

  #command(command: Command): void {
    if (command.name === undefined) return;
    const program = literalOf(command.name);
    if (program === undefined) this.syntax.add(Syntax.computedProgram);
    const words = command.suffix.flatMap((one) => (one.type === 'Word' ? (literalOf(one) ?? []) : []));
    this.lines.push(program === undefined ? ['', ...words] : [program, ...words]);
  }
}

function wordsOf(command: Command): readonly string[] | undefined {
  const words = [command.name, ...command.suffix].map((one) => (one?.type === 'Word' ? literalOf(one) : undefined));
  return words.includes(undefined) ? undefined : (words as readonly string[]);
}

/** The value of a word of which every part is what it says. */
function literalOf(word: Word | undefined): string | undefined {
  if (word === undefined) return undefined;
  for (const part of word.parts ?? []) {
    if (part.type === 'Literal' || part.type === 'SingleQuoted') continue;
    if (part.type === 'DoubleQuoted' && part.parts.every(({ type }) => type === 'Literal')) continue;
    return undefined;
  }
  return word.value;
}

function isWriting(operator: string): boolean {
  return operator !== '<' && operator !== '<&' && operator !== '>&';
}

/** Undefined for what a simple command of literal words may consist of, and for what only holds other nodes. */
function named(node: SyntaxNode): SyntaxName | undefined {
  switch (node.type) {
    case 'Script':
    case 'Statement':
    case 'CompoundList':
    case 'Command':
    case 'Word':
    case 'Literal':
    case 'SingleQuoted':
    case 'DoubleQuoted':
    case 'FileDescriptor':
    case 'HereDocDelimiter':
    case 'HereDocBody':
      return undefined;
    case 'Pipeline':
      // One command behind `time` or `!` is one too.
      return node.commands.length > 1 ? Syntax.pipeline : Syntax.compound;
    case 'AndOr':
      return Syntax.list;
    case 'CommandExpansion':
    case 'ProcessSubstitution':
    case 'ArithmeticCommandExpansion':
      return Syntax.substitution;
    case 'SimpleExpansion':
    case 'ParameterExpansion':
    case 'ArithmeticExpansion':
    case 'ArithmeticBinary':
    case 'ArithmeticUnary':
    case 'ArithmeticTernary':
    case 'ArithmeticGroup':
    case 'ArithmeticWord':
    case 'Default':
    case 'Remove':
    case 'Replace':
    case 'Slice':
    case 'CaseModification':
    case 'Transform':
    case 'Names':
    case 'Unknown':
    case 'AnsiCQuoted':
    case 'LocaleString':
      return Syntax.variable;
    case 'Redirect':
    case 'FileDescriptorVariable':
      return Syntax.redirection;
    case 'HereDoc':
    case 'HereString':
      return Syntax.hereDocument;
    case 'Glob':
    case 'ExtendedGlob':
      return Syntax.glob;
    case 'BraceExpansion':
      return Syntax.brace;
    case 'Assignment':
    case 'ArrayValue':
      return Syntax.assignment;
    case 'Subshell':
    case 'BraceGroup':
      return Syntax.group;
    case 'Function':
      return Syntax.function;
    default:
      // Whatever else there is, or comes with a later version of the parser, is more than a simple command.
      return Syntax.compound;
  }
}

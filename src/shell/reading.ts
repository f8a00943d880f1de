/**
 * What the text of an SSH exec request means to the shell that the target hands it to (`$SHELL -c <text>`, RFC 4254 section 6.5). Read for POSIX shells: dash, bash,
 * busybox sh, ksh and zsh as the remote user's login shell. What csh, fish or a program in the shell's place make of a text may be something else.
 */
export type CommandReading = SimpleCommand | Script;

/** One simple command of literal words: every POSIX shell passes exactly these to the program. */
export interface SimpleCommand {
  readonly kind: 'simple';
  /** At least one word; the first is not empty. */
  readonly argv: readonly string[];
  /** The same words in our own quoting (`quote.ts`): one text for each argv, which is read back as this argv. */
  readonly canonical: string;
  readonly facts: CommandFacts;
}

/** Anything else: what runs depends on the shell, on files and variables of the target, or is more than one command. */
export interface Script {
  readonly kind: 'script';
  /** Why it is none: `pipeline`, `list`, `substitution`, `variable`, `glob`, `redirection` … (`syntax.ts`); never empty, sorted. */
  readonly syntax: readonly string[];
  readonly facts: CommandFacts;
}

export interface CommandFacts {
  /** Command words that stand in the text literally, each once, in order. */
  readonly commands: readonly string[];
  /** Programs among them that run other text or other programs, by their own names (`programs.ts`). */
  readonly interpreters: readonly string[];
  /** A redirection writes, or a program that is known to. False says only that none was seen. */
  readonly writesFile: boolean;
}

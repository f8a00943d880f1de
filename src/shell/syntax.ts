/** Why a text is more than one simple command of literal words: what policy sees as `shell_syntax`. */
export const Syntax = {
  /** `a | b` */
  pipeline: 'pipeline',
  /** `a; b`, `a && b`, `a & b` */
  list: 'list',
  newline: 'newline',
  background: 'background',
  /** `$(…)`, backquotes, `<(…)` */
  substitution: 'substitution',
  /** `$x`, `${x…}`, `$'…'`, `$((…))` */
  variable: 'variable',
  redirection: 'redirection',
  hereDocument: 'here-document',
  glob: 'glob',
  tilde: 'tilde',
  brace: 'brace',
  /** `( … )`, `{ …; }` */
  group: 'group',
  /** `if`, `for`, `while`, `case` … */
  compound: 'compound',
  function: 'function',
  assignment: 'assignment',
  comment: 'comment',
  /** `!`, `^` */
  history: 'history',
  /** A word that begins with `=`: a path in zsh. */
  equals: 'equals',
  job: 'job',
  keyword: 'keyword',
  /** The program is not named literally. */
  computedProgram: 'computed-program',
  control: 'control',
  /** Beyond ASCII outside of quotes, or before a backslash within them. */
  encoding: 'encoding',
  /** The text begins like an option of the shell. */
  option: 'option',
  nothing: 'nothing',
  unfinished: 'unfinished',
  /** Two readings of it do not agree. */
  ambiguous: 'ambiguous',
  other: 'other',
} as const;

export type SyntaxName = (typeof Syntax)[keyof typeof Syntax];

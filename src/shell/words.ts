import { Syntax, type SyntaxName } from './syntax.ts';

/**
 * Splits a text into the words that every POSIX shell makes of it, or says why that cannot be told from the text alone. Knows only characters that mean the same
 * everywhere; any other one is a reason. Quotes are removed as in POSIX.1-2024, section 2.2; there is no expansion of any kind.
 */
export function literalWords(text: string): readonly string[] | ReadonlySet<SyntaxName> {
  return new Words(text).read();
}

class Words {
  readonly #text: string;
  readonly #reasons = new Set<SyntaxName>();
  readonly #words: string[] = [];
  #at = 0;
  /** Of the word that is read; undefined between words. */
  #word: string | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  read(): readonly string[] | ReadonlySet<SyntaxName> {
    // A shell takes a text that begins like an option for one.
    if (/^[-+]/.test(this.#text)) this.#reasons.add(Syntax.option);
    while (this.#at < this.#text.length) this.#next();
    this.#endWord();
    if (this.#words.length === 0) this.#reasons.add(Syntax.nothing);
    this.#judgeProgram();
    return this.#reasons.size > 0 ? this.#reasons : this.#words;
  }

  #next(): void {
    const character = this.#text[this.#at]!;
    this.#at += 1;
    if (character === ' ' || character === '\t') this.#endWord();
    else if (character === "'") this.#singleQuoted();
    else if (character === '"') this.#doubleQuoted();
    else if (character === '\\') this.#escaped();
    else if (character === '=' && (this.#word ?? '') === '') this.#reasons.add(Syntax.equals);
    else if (plain.test(character)) this.#add(character);
    else if (character === '#') this.#reasons.add(this.#word === undefined ? Syntax.comment : Syntax.other);
    else this.#reasons.add(reasonFor(character));
  }

  #singleQuoted(): void {
    const end = this.#text.indexOf("'", this.#at);
    if (end < 0) this.#reasons.add(Syntax.unfinished);
    this.#quote(this.#text.slice(this.#at, end < 0 ? undefined : end));
    this.#at = end < 0 ? this.#text.length : end + 1;
  }

  #doubleQuoted(): void {
    let value = '';
    for (; ; this.#at += 1) {
      const character = this.#text[this.#at];
      if (character === undefined) {
        this.#reasons.add(Syntax.unfinished);
        break;
      }
      if (character === '"') break;
      if (character === '\\') {
        // In some character sets (GBK, Shift JIS) a backslash may be the second byte of a character, and bash would see one less.
        if ((this.#text[this.#at - 1] ?? '') > '\u007f') this.#reasons.add(Syntax.encoding);
        const next = this.#text[this.#at + 1];
        if (next !== undefined && '\\"$`'.includes(next)) {
          value += next;
          this.#at += 1;
          continue;
        }
      }
      // Within double quotes bash looks for a history only at a terminal; csh always.
      if (character === '!' || character === '$' || character === '`') this.#reasons.add(reasonFor(character));
      value += character;
    }
    this.#at += 1;
    this.#quote(value);
  }

  #escaped(): void {
    const character = this.#text[this.#at];
    this.#at += 1;
    if (character === undefined) this.#reasons.add(Syntax.unfinished);
    else if (!/^[ -~]$/.test(character)) this.#reasons.add(Syntax.encoding);
    else this.#add(character);
  }

  /** Nothing in quotes but these is taken for anything else than itself. */
  #quote(value: string): void {
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    if (/[\u0000-\u001f\u007f-\u009f]/.test(value)) this.#reasons.add(value.includes('\n') ? Syntax.newline : Syntax.control);
    this.#add(value);
  }

  #add(text: string): void {
    this.#word = (this.#word ?? '') + text;
  }

  #endWord(): void {
    if (this.#word !== undefined) this.#words.push(this.#word);
    this.#word = undefined;
  }

  #judgeProgram(): void {
    const program = this.#words[0];
    if (program === undefined) return;
    if (program === '') this.#reasons.add(Syntax.nothing);
    if (program.includes('=')) this.#reasons.add(Syntax.assignment);
    if (program.startsWith('%')) this.#reasons.add(Syntax.job);
    if (keywords.has(program)) this.#reasons.add(Syntax.keyword);
  }
}

function reasonFor(character: string): SyntaxName {
  return (
    reasons.get(character) ??
    (/^[ -~]$/.test(character) ? Syntax.other : /^[^\u0080-\u009f]$/.test(character) && character > '~' ? Syntax.encoding : Syntax.control)
  );
}

const plain = /^[A-Za-z0-9_@%+=:,./-]$/;
const reasons: ReadonlyMap<string, SyntaxName> = new Map([
  ['|', Syntax.pipeline],
  [';', Syntax.list],
  ['&', Syntax.list],
  ['\n', Syntax.newline],
  ['\r', Syntax.control],
  ['`', Syntax.substitution],
  ['$', Syntax.variable],
  ['<', Syntax.redirection],
  ['>', Syntax.redirection],
  ['*', Syntax.glob],
  ['?', Syntax.glob],
  ['[', Syntax.glob],
  [']', Syntax.glob],
  ['~', Syntax.tilde],
  ['{', Syntax.brace],
  ['}', Syntax.brace],
  ['(', Syntax.group],
  [')', Syntax.group],
  ['!', Syntax.history],
  // A pipe in the first shells, a negation or a history in others.
  ['^', Syntax.history],
]);

/** Of POSIX shells, bash, ksh and zsh, with what zsh takes away in front of a command, and of fish and csh where no program has such a name. */
const keywords: ReadonlySet<string> = new Set(
  (
    'if then else elif fi do done case esac while until for in { } ! [[ ]] function select time coproc repeat foreach end always namespace declare typeset ' +
    'nocorrect noglob - and or not begin switch endsw endif onintr'
  ).split(' '),
);

/**
 * What is typed at a terminal, line by line. Where the terminal did not show what was typed (a password), each character stands as a star: hidden input is on
 * record as input, but not what it was. Shown means that its characters came back in their order before the next line began.
 */
export class TypedLines {
  readonly #decoder = new TextDecoder();
  #typed = '';
  /** What the terminal has shown since the first character of the line, up to the end of its line. */
  #echo = '';
  #isEntered = false;
  #hasNewLine = false;

  /** Gives back lines that are complete and judged. */
  typed(bytes: Uint8Array): readonly string[] {
    const lines: string[] = [];
    for (const character of this.#decoder.decode(bytes, { stream: true })) {
      if (this.#isEntered) lines.push(...this.end());
      this.#typed += character;
      this.#isEntered = character === '\r' || character === '\n' || this.#typed.length >= longestLine;
    }
    return lines;
  }

  shown(text: string): readonly string[] {
    if (this.#typed === '') return [];
    if (!this.#hasNewLine) {
      const newLine = this.#isEntered ? text.indexOf('\n') : -1;
      this.#hasNewLine = newLine >= 0;
      this.#echo += text.slice(0, Math.min(newLine < 0 ? text.length : newLine, longestEcho - this.#echo.length));
    }
    return this.#isEntered && (this.#hasNewLine || this.#echo.length >= longestEcho) ? this.end() : [];
  }

  end(): readonly string[] {
    const line = this.#typed;
    const isShown = this.#wasShown();
    this.#typed = this.#echo = '';
    this.#isEntered = this.#hasNewLine = false;
    if (line === '') return [];
    return [isShown ? line : Array.from(line, (character) => (isPrintable(character) ? '*' : character)).join('')];
  }

  #wasShown(): boolean {
    let at = 0;
    for (const character of withoutSequences(this.#typed)) {
      if (!isPrintable(character)) continue;
      at = this.#echo.indexOf(character, at) + 1;
      if (at === 0) return false;
    }
    return true;
  }
}

/** Keys that are no characters (arrows, function keys) send sequences, which are not shown. */
function withoutSequences(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(/\u001b(?:\[[0-9;?]{0,32}[ -/]{0,4}[@-~]|O[@-~])/g, '');
}

function isPrintable(character: string): boolean {
  const code = character.codePointAt(0)!;
  return code >= 0x20 && code !== 0x7f && !(code >= 0x80 && code < 0xa0);
}

const longestLine = 1024;
const longestEcho = 8192;

import { paint } from '../paint.ts';
import { print } from '../../terminal.ts';

/** A step of the tour did not go as it should. */
export class TourFailed extends Error {
  override readonly name = 'TourFailed';
}

/** What the audience sees: numbered steps, what is typed, what comes back, and what was checked of it. */
export class Stage {
  #step = 0;
  #title = '';
  #checks = 0;

  /** `step 4 (…)`: where the tour is. */
  get place(): string {
    return `step ${this.#step} (${this.#title})`;
  }

  get tally(): string {
    return `${this.#step} steps, ${this.#checks} checks`;
  }

  step(title: string, ...why: readonly string[]): void {
    this.#step += 1;
    this.#title = title;
    print(`\n${paint('bold', `${String(this.#step).padStart(2)}  ${title}`)}`);
    for (const text of why) this.say(text);
    print();
  }

  say(text: string): void {
    for (const line of wrapped(text, width, '')) print(paint('dim', `${indent}${line}`));
  }

  /** What someone types, behind a prompt that says who and where. */
  typed(prompt: string, text: string): void {
    for (const [index, line] of wrapped(text, width - prompt.length - 1, '  ').entries()) {
      print(`${indent}${index === 0 ? paint('dim', prompt) : ' '.repeat(prompt.length)} ${paint('cyan', line)}`);
    }
  }

  heard(line: string): void {
    if (line.trim() === '') return;
    for (const part of wrapped(line, width, '  ')) print(`${indent}${coloured(line, part)}`);
  }

  gap(): void {
    print();
  }

  /** Says what was checked, or ends the tour. `found`: what was there instead. */
  check(holds: boolean, what: string, found: () => string = () => ''): void {
    if (!holds) throw new TourFailed([`expected: ${what}`, ...(found() === '' ? [] : [`found: ${found()}`])].join('\n'));
    this.#checks += 1;
    for (const [index, line] of wrapped(what, width - 2, '').entries()) {
      print(`${indent}${index === 0 ? paint('green', '✔') : ' '} ${paint('green', line)}`);
    }
  }
}

/** Lines of at most so many characters, broken between words; what a word does not fit into is cut. */
function wrapped(text: string, width: number, hang: string): readonly string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width);
    const cut = space > hang.length + 20 ? space : width;
    lines.push(rest.slice(0, cut));
    rest = hang + rest.slice(cut).trimStart();
  }
  return [...lines, rest];
}

/** `part` of a line, coloured by what the line is; in results, what is masked stands out. */
function coloured(line: string, part: string): string {
  if (/^(ERROR|FATAL|sallyport):/.test(line)) return paint('red', part);
  if (line.startsWith('NOTICE:')) return paint('yellow', part);
  return part.replaceAll(masked, (mask) => paint('magenta', mask));
}

const masked = /\[redacted:[a-z-]*\]?|\*[*-]+\d{0,4}/g;
const indent = '    ';
const width = 100 - indent.length;

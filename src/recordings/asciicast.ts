import { constants } from 'node:os';
import type { RecordingEvent } from './format.ts';
import type { TimelineItem } from './timeline.ts';

/** Version 2 (https://docs.asciinema.org/manual/asciicast/v2/) is what asciinema before 3.0 plays: times count from the beginning, and it has no event for the end. */
export type AsciicastVersion = 2 | 3;

/**
 * Writes the streams of one operation as asciicast v3 (https://docs.asciinema.org/manual/asciicast/v3/): a header, then `[seconds since the event before, code, text]` with
 * codes `o` (output, both kinds), `i` (input), `r` (resize) and `x` (the exit status; `m`, a marker, tells any other end). `operation` undefined: the first that has any. False where there is none.
 * What ran without a terminal ends its lines with LF alone; a player's screen needs CR, too, which is put in.
 *
 * A player gives the text to a terminal. So sequences that reach beyond its screen are left out: titles, links, the clipboard, device control, questions that the terminal
 * would answer by typing, window operations and the full reset.
 */
export async function asciicast(
  timeline: AsyncIterable<TimelineItem>,
  operation: string | undefined,
  write: (line: string) => void,
  version: AsciicastVersion = 3,
): Promise<boolean> {
  let session = { started: 0, text: '' };
  let cast: Cast | undefined;
  let decided: (RecordingEvent & { readonly event: 'decided' }) | undefined;
  for await (const item of timeline) {
    if (item.kind === 'header') session = { started: Date.parse(item.header.started), text: item.header.session };
    if (item.kind !== 'event') continue;
    const { event } = item;
    if (event.event === 'decided' && (cast === undefined || event.operation === cast.operation)) decided = event;
    if (event.event === 'completed' && event.operation === cast?.operation) cast.exit(event.at, event.error_code ?? event.outcome);
    if (event.event !== 'stream' || event.operation !== (operation ?? cast?.operation ?? event.operation)) continue;
    cast ??= new Cast(event.operation, session, decided?.operation === event.operation ? decided.text : '', event, write, version);
    cast.event(event);
  }
  cast?.begin();
  return cast !== undefined;
}

class Cast {
  readonly operation: string;
  readonly #header: Readonly<Record<string, unknown>>;
  readonly #write: (line: string) => void;
  readonly #version: AsciicastVersion;
  readonly #firstAt: number;
  readonly #screens = { output: new Harmless(), error: new Harmless() };
  #begun = false;
  #hasTerminal = false;
  #lastAt: number;

  constructor(
    operation: string,
    session: { readonly started: number; readonly text: string },
    command: string,
    first: RecordingEvent,
    write: (line: string) => void,
    version: AsciicastVersion,
  ) {
    this.operation = operation;
    this.#version = version;
    this.#firstAt = first.at;
    this.#lastAt = first.at;
    this.#write = write;
    this.#header = {
      timestamp: Math.floor((session.started + first.at) / 1000),
      title: `${session.text} ${operation}`,
      ...(command === '' ? {} : { command }),
    };
  }

  event(event: RecordingEvent & { readonly event: 'stream' }): void {
    switch (event.stream) {
      case 'resize':
        this.#resize(event.at, event.text);
        return;
      case 'input':
        this.#put(event.at, 'i', event.text);
        return;
      case 'output':
      case 'error':
        this.#put(event.at, 'o', this.#onScreen(this.#screens[event.stream].shown(event.text)));
        return;
      default:
        event.stream satisfies never;
    }
  }

  exit(at: number, how: string): void {
    if (this.#version !== 3) return;
    const status = statusOf(how);
    if (status === undefined) this.#put(at, 'm', how);
    else this.#put(at, 'x', status);
  }

  /** The header tells the size, which is known when the client has told it or shows that it never will. */
  begin(): void {
    if (!this.#begun) this.#begin(80, 24);
  }

  #begin(columns: number, rows: number): void {
    this.#begun = true;
    const size = this.#version === 3 ? { term: { cols: columns, rows } } : { width: columns, height: rows };
    this.#write(`${JSON.stringify({ version: this.#version, ...size, ...this.#header })}\n`);
  }

  #resize(at: number, text: string): void {
    const [columns = 80, rows = 24] = text.split('x').map(Number);
    this.#hasTerminal = true;
    if (!this.#begun) this.#begin(columns, rows);
    else this.#put(at, 'r', text);
  }

  /** A player's screen stays in its column at LF. */
  #onScreen(text: string): string {
    return this.#hasTerminal ? text : text.replaceAll(/\r?\n/g, '\r\n');
  }

  #put(at: number, code: string, text: string): void {
    if (text === '') return;
    this.begin();
    const since = this.#version === 3 ? this.#lastAt : this.#firstAt;
    this.#lastAt = Math.max(at, this.#lastAt);
    this.#write(`${JSON.stringify([Math.max(0, this.#lastAt - since) / 1000, code, text])}\n`);
  }
}

/** As a shell tells it: 128 and its number for a signal. Undefined: the target has told none, and a number is all that the format takes. */
function statusOf(how: string): string | undefined {
  if (how === 'succeeded') return '0';
  const [, kind, what = ''] = /^(exit|signal) (\S+)$/.exec(how) ?? [];
  if (kind === 'exit') return what;
  const number = (constants.signals as Readonly<Record<string, number | undefined>>)[`SIG${what}`];
  return number === undefined ? undefined : String(128 + number);
}

/** Text for a terminal that only its screen can see. Sequences may lie across events. */
export class Harmless {
  #carry = '';

  shown(text: string): string {
    const all = this.#carry + text;
    const begun = all.slice(-longestSequence).search(incomplete);
    const cut = begun < 0 ? all.length : all.length - Math.min(longestSequence, all.length) + begun;
    this.#carry = all.slice(cut);
    return all.slice(0, cut).replace(harmful, '');
  }
}

/* oxlint-disable no-control-regex -- control sequences are what is looked for */
/** Strings (OSC, DCS, SOS, PM, APC), answer-backs (DA, DSR, DECREQTPARM, ENQ), window operations, full reset and identification. */
const harmful =
  /(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|(?:\u001b\[|\u009b)[0-?]*[ -/]*[cntx]|\u001b[cZ]|\u0005/g;
/** A sequence whose end has not come. */
const incomplete =
  /(?:\u001b(?:[\]PX^_][^\u0007\u001b\u009c]*\u001b?|\[[0-?]*[ -/]*)?|[\u0090\u0098\u009d-\u009f][^\u0007\u001b\u009c]*|\u009b[0-?]*[ -/]*)$/;
/* oxlint-enable no-control-regex */
const longestSequence = 4096;

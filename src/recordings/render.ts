import { assertNever } from '../core/fault.ts';
import type { SealedRecording } from '../core/record.ts';
import type { RecordingEvent, RecordingHeader } from './format.ts';
import type { TimelineItem } from './timeline.ts';

export interface ReplayOptions {
  /** Takes whole lines with their line feed. */
  readonly write: (text: string) => void;
  /** Undefined: everything at once. 1: as it happened; 2: twice as fast. */
  readonly speed: number | undefined;
  /** Waits so many milliseconds; may reject to end the replay. */
  readonly wait: (ms: number) => Promise<void>;
  /** What the audit log says of the recording; undefined where it says nothing. */
  readonly sealed: Pick<SealedRecording, 'sha256' | 'bytes'> | undefined;
  /** Longest pause, milliseconds at the replay's own speed; 5,000 where it is not given. */
  readonly maxPauseMs?: number;
}

export interface ReplayResult {
  readonly damagedLines: number;
  /** The recording says itself that it is whole. */
  readonly closed: boolean;
  /** Undefined where nothing was given to compare with. */
  readonly unaltered: boolean | undefined;
  readonly sha256: string;
}

/** Plays a recording to a terminal, and says in the end whether it is the one that was sealed. Nothing in it can steer the terminal. */
export async function replay(timeline: AsyncIterable<TimelineItem>, options: ReplayOptions): Promise<ReplayResult> {
  let lastAt = 0;
  let damagedLines = 0;
  for await (const item of timeline) {
    switch (item.kind) {
      case 'header':
        options.write(block(renderHeader(item.header)));
        break;
      case 'event': {
        const pause = Math.max(0, item.event.at - lastAt) / (options.speed ?? Infinity);
        lastAt = Math.max(lastAt, item.event.at);
        if (pause > 0) await options.wait(Math.min(pause, options.maxPauseMs ?? 5_000));
        options.write(block(renderEvent(item.event)));
        break;
      }
      case 'damaged':
        damagedLines++;
        options.write(block([`!! line ${item.line} is damaged: ${visible(item.reason)}`]));
        break;
      case 'end': {
        const { sealed } = options;
        const unaltered = sealed === undefined ? undefined : sealed.sha256 === item.sha256 && sealed.bytes === item.bytes;
        if (unaltered === false)
          options.write(block([`!! ALTERED: the log sealed ${visible(sealed?.sha256 ?? '')}, this is ${item.sha256}`]));
        if (!item.closed) options.write(block(['!! the recording has no end: the session is still open, or the file was cut']));
        return { damagedLines, closed: item.closed, unaltered, sha256: item.sha256 };
      }
    }
  }
  return { damagedLines, closed: false, unaltered: options.sealed === undefined ? undefined : false, sha256: '' };
}

/** Lines for a terminal, safe to print. */
export function renderHeader(header: RecordingHeader): readonly string[] {
  const { principal, target } = header;
  return [
    `session ${visible(header.session)} on ${visible(target.name)} (${visible(target.protocol)}), started ${visible(header.started)}`,
    `by ${visible(principal.kind)} ${visible(principal.display)} (${visible(principal.issuer)}: ${visible(principal.subject)})`,
  ];
}

/** Lines for a terminal, safe to print: the first begins with the time since the session's start. */
export function renderEvent(event: RecordingEvent): readonly string[] {
  const [first = '', ...rest] = eventLines(event);
  return [`${timeText(event.at)}  ${first}`, ...rest.map((line) => `${indent}${line}`)];
}

/** Text in which nothing is hidden: whatever would move the cursor, vanish or reorder what is read is shown as `\u{…}`. */
export function visible(text: string): string {
  return text.replace(hidden, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

function eventLines(event: RecordingEvent): readonly string[] {
  switch (event.event) {
    case 'decided': {
      const verdict = event.decision === 'allow' ? 'allowed' : `REFUSED ${visible(event.code ?? '')}`.trimEnd();
      const parameters = (event.parameters ?? []).map((value, index) => `$${index + 1} = ${cellText(value)}`);
      const exact = event.text_exact ? [] : ['(masked or cut)'];
      return [`${visible(event.operation)} ${verdict}`, ...textLines(event.text), ...exact, ...parameters];
    }
    case 'sample':
      return [
        `${visible(event.operation)} sample of the result`,
        event.columns.map(visible).join(' | '),
        ...event.rows.map((row) => row.map(cellText).join(' | ')),
      ];
    case 'completed': {
      const code = event.error_code === undefined ? '' : ` ${visible(event.error_code)}`;
      const masked = Object.entries(event.masked).map(([name, count]) => `${visible(name)} ${count}`);
      const hiddenCells = masked.length === 0 ? '' : `, masked: ${masked.join(', ')}`;
      const amounts = `${event.rows} rows, ${event.bytes} bytes, ${event.duration_ms} ms`;
      return [`${visible(event.operation)} ${visible(event.outcome)}${code}: ${amounts}${hiddenCells}`];
    }
    case 'note': {
      const detail = Object.entries(event.detail).map(([name, value]) => `${visible(name)}=${visible(String(value))}`);
      return [[`note ${visible(event.note)}`, ...detail].join(' ')];
    }
    case 'gap':
      return [`!! ${event.dropped} events are missing: the disk did not keep up`];
    case 'closed':
      return ['session closed'];
    case 'recovered':
      return [`!! the gateway stopped here without closing the recording (${event.dropped_bytes} bytes of an incomplete line dropped)`];
    default:
      return assertNever(event, 'recording event');
  }
}

function textLines(text: string): readonly string[] {
  return text.split(/\r?\n/).map((line) => visible(line.replaceAll('\t', '    ')));
}

function cellText(value: string | null): string {
  return value === null ? 'NULL' : visible(value);
}

/** `hh:mm:ss.mmm` */
function timeText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${parts.map((part) => String(part).padStart(2, '0')).join(':')}.${String(Math.floor(ms) % 1000).padStart(3, '0')}`;
}

function block(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

const indent = ' '.repeat(14);

/**
 * Controls, format characters (bidirectional, zero-width), surrogates, unassigned and private characters, line and paragraph separators,
 * spaces that are not the space, everything that is ignored by default when shown, and the empty Braille pattern.
 */
const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/gu;

import { escapeLine } from '../core/escape.ts';
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
        options.write(block([`!! line ${item.line} is damaged: ${escapeLine(item.reason)}`]));
        break;
      case 'end': {
        const { sealed } = options;
        const unaltered = sealed === undefined ? undefined : sealed.sha256 === item.sha256 && sealed.bytes === item.bytes;
        if (unaltered === false)
          options.write(block([`!! ALTERED: the log sealed ${escapeLine(sealed?.sha256 ?? '')}, this is ${item.sha256}`]));
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
    `session ${escapeLine(header.session)} on ${escapeLine(target.name)} (${escapeLine(target.protocol)}), started ${escapeLine(header.started)}`,
    `by ${escapeLine(principal.kind)} ${escapeLine(principal.display)} (${escapeLine(principal.issuer)}: ${escapeLine(principal.subject)})`,
  ];
}

/** Lines for a terminal, safe to print: the first begins with the time since the session's start. */
export function renderEvent(event: RecordingEvent): readonly string[] {
  const [first = '', ...rest] = eventLines(event);
  return [`${timeText(event.at)}  ${first}`, ...rest.map((line) => `${indent}${line}`)];
}

function eventLines(event: RecordingEvent): readonly string[] {
  switch (event.event) {
    case 'decided': {
      const verdict = event.decision === 'allow' ? 'allowed' : `REFUSED ${escapeLine(event.code ?? '')}`.trimEnd();
      const parameters = (event.parameters ?? []).map((value, index) => `$${index + 1} = ${cellText(value)}`);
      const exact = event.text_exact ? [] : ['(masked or cut)'];
      const runs = (event.runs ?? []).flatMap((text) => ['by name, it runs', ...textLines(text)]);
      return [`${escapeLine(event.operation)} ${verdict}`, ...textLines(event.text), ...exact, ...runs, ...parameters];
    }
    case 'sample':
      return [
        `${escapeLine(event.operation)} sample of the result`,
        event.columns.map(escapeLine).join(' | '),
        ...event.rows.map((row) => row.map(cellText).join(' | ')),
      ];
    case 'completed': {
      const code = event.error_code === undefined ? '' : ` ${escapeLine(event.error_code)}`;
      const amounts = `${event.rows} rows, ${event.bytes} bytes, ${event.duration_ms} ms`;
      return [`${escapeLine(event.operation)} ${escapeLine(event.outcome)}${code}: ${amounts}${maskedText(event.masked)}`];
    }
    case 'stream': {
      const [first = '', ...rest] = event.text.split(/\r?\n/);
      return [`${escapeLine(event.operation)} ${event.stream} ${streamText(first)}`, ...rest.map((line) => `  ${streamText(line)}`)];
    }
    case 'transfer': {
      const verb = event.direction === 'download' ? 'gave out' : 'took in';
      const order = event.in_order ? '' : ', not in order';
      const what = `${escapeLine(event.operation)} ${verb} ${event.bytes} bytes of ${escapeLine(event.path)}`;
      return [`${what}, sha256 ${escapeLine(event.sha256)}${order}${maskedText(event.masked)}`];
    }
    case 'note': {
      const detail = Object.entries(event.detail).map(([name, value]) => `${escapeLine(name)}=${escapeLine(String(value))}`);
      return [[`note ${escapeLine(event.note)}`, ...detail].join(' ')];
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

/** Further in than every line of the gateway's own, so that none of a statement's can pass for one. */
function textLines(text: string): readonly string[] {
  return text.split(/\r?\n/).map((line) => `  ${escapeLine(line.replaceAll('\t', '    '))}`);
}

function maskedText(counts: Readonly<Record<string, number>>): string {
  const masked = Object.entries(counts).map(([name, count]) => `${escapeLine(name)} ${count}`);
  return masked.length === 0 ? '' : `, masked: ${masked.join(', ')}`;
}

function streamText(line: string): string {
  return escapeLine(line.replaceAll('\t', '    '));
}

function cellText(value: string | null): string {
  return value === null ? 'NULL' : escapeLine(value);
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

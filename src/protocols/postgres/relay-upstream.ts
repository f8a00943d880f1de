import { GatewayFault } from '../../core/fault.ts';
import { fits, fitting, passed, ranToItsEnd } from './allowance.ts';
import type { Conversation } from './conversation.ts';
import { decodeServer, rowsOf } from './decode.ts';
import { Descriptions } from './descriptions.ts';
import * as encode from './encode.ts';
import type { Expected, Running } from './expected.ts';
import { faultFields, faultMessage, notice } from './fault.ts';
import { checkPinned, type UpstreamReady } from './login.ts';
import { isPlain, maskFields, maskNotification, maskParameterStatus, maskRow, sampleRow, type MaskPlan } from './mask.ts';
import { maskCopyLine } from './mask-copy.ts';
import { HEADER_BYTES, SERVER_TAG, type FieldDescription, type Format, type ServerMessage } from './messages.ts';
import { describedFields } from './names.ts';
import { Passing } from '../../core/passing.ts';
import type { ClientRelay } from './relay-client.ts';
import { ReportedSettings } from './reported-settings.ts';
import { copyCountTable, copyOpenTable, readyCountTable, readyTable } from './server-tables.ts';

/**
 * The target's direction of a ready session. Follows the answers in the order in which they were asked for, masks what must be masked,
 * and passes everything else on as views of the bytes that came: neighbours go as one piece.
 */
export class UpstreamRelay {
  readonly #talk: Conversation;
  readonly #client: ClientRelay;
  readonly #majorVersion: number | undefined;
  readonly #descriptions = new Descriptions();
  readonly #passing = new Passing();
  readonly #settings: ReportedSettings;
  /** Rows that may be shown in this step, where they are limited by the minute. */
  #left = Number.POSITIVE_INFINITY;

  constructor(talk: Conversation, client: ClientRelay, { majorVersion, settings }: UpstreamReady) {
    this.#talk = talk;
    this.#client = client;
    this.#majorVersion = majorVersion;
    this.#settings = new ReportedSettings(settings);
  }

  receive(): void {
    const { upstreamFramer, session, stopping } = this.#talk;
    const perMinute = session.limits.inForce.rowsPerMinute !== undefined;
    if (perMinute) this.#left = session.limits.rowsLeft();
    const leftBefore = this.#left;
    try {
      for (;;) {
        const begun = upstreamFramer.remaining;
        const found = upstreamFramer.next(this.#table());
        if (found === undefined) break;
        if (found === 'run') this.#rows(upstreamFramer.counted, begun);
        else if (upstreamFramer.tag === SERVER_TAG.DataRow) this.#row();
        else if (upstreamFramer.tag === SERVER_TAG.RowDescription)
          this.#described(this.#descriptions.read(upstreamFramer.body()), this.#talk.expected.head);
        else {
          const { tag, bytes, start, end } = upstreamFramer;
          this.#message(decodeServer(tag, bytes, start + HEADER_BYTES, end));
        }
      }
    } finally {
      // What passed before a fault goes out in front of its wording: else a message could stand in the middle of another.
      this.#flush();
      if (perMinute) session.limits.countRows(leftBefore - this.#left);
      this.#left = Number.POSITIVE_INFINITY;
    }
    stopping.settle();
    this.#talk.flushNotices();
    this.#client.pump();
  }

  // ---- passing bytes on

  /** The frame or run that was handed out last goes to the client as it is. */
  #pass(): void {
    if (this.#talk.stopping.silent) return;
    const { bytes, start, end } = this.#talk.upstreamFramer;
    this.#passing.pass(bytes, start, end);
  }

  #put(bytes: Uint8Array): void {
    if (!this.#talk.stopping.silent) this.#tell(bytes);
  }

  #tell(bytes: Uint8Array): void {
    this.#passing.pass(bytes, 0, bytes.length);
  }

  #flush(): void {
    for (const bytes of this.#passing.take()) this.#talk.reply(bytes);
  }

  // ---- rows

  #table() {
    const head = this.#talk.expected.head;
    if (this.#talk.copying?.direction === 'out') return this.#talk.sight().masks.detectors.isEmpty ? copyCountTable : copyOpenTable;
    if (head?.kind !== 'query' && head?.kind !== 'execute') return readyTable;
    const plan = this.#planOf(head);
    return plan !== undefined && plan.isIdentity && !wantsSample(head.running, plan) ? readyCountTable : readyTable;
  }

  /** Rows that nobody needs to look into. */
  #rows(counted: number, begun: number): void {
    const head = this.#talk.expected.head;
    const { bytes, start, end, remaining } = this.#talk.upstreamFramer;
    if (head?.kind === 'query' || head?.kind === 'execute') {
      const { running } = head;
      if (this.#isHidden(running)) return;
      if (!fits(running, counted, end - start + remaining, this.#left)) {
        const cut = fitting(bytes, start, end, begun, running, this.#left);
        this.#count(running, cut.rows, cut.end - start);
        if (cut.end > start) this.#passing.pass(bytes, start, cut.end);
        this.#stop(running, 1, end - cut.end + remaining);
        return;
      }
      this.#count(running, counted, end - start);
    }
    this.#pass();
  }

  #isHidden(running: Running): boolean {
    return running.stopped !== undefined || this.#talk.stopping.silent;
  }

  #count(running: Running, rows: number, bytes: number): void {
    if (this.#talk.copying === undefined) running.rows += rows;
    else running.copied += rows;
    running.bytes += bytes;
    this.#left -= rows;
  }

  /** So many rows and bytes more would pass a limit. */
  #stop(running: Running, rows: number, bytes: number): void {
    this.#talk.stopping.answer(running, passed(this.#talk.session.target.name, running, rows, bytes));
  }

  #row(): void {
    const head = this.#talk.expected.head;
    if (head?.kind !== 'query' && head?.kind !== 'execute') throw unexpected('DataRow', head);
    const plan = this.#planOf(head);
    if (plan === undefined) throw unexpected('DataRow without a description', head);
    const { running } = head;
    if (this.#isHidden(running)) return;
    const row = this.#talk.upstreamFramer.view();
    if (!fits(running, 1, 0, this.#left)) return this.#stop(running, 1, 0);
    const masked = plan.isIdentity ? undefined : maskRow(plan, row, running.masked);
    const { length } = masked ?? row;
    if (!fits(running, 1, length, this.#left)) return this.#stop(running, 1, length);
    if (wantsSample(running, plan)) {
      running.samplePlan = plan;
      running.sample.push(sampleRow(plan, masked ?? row));
    }
    this.#count(running, 1, length);
    if (masked === undefined) this.#pass();
    else this.#put(masked);
  }

  #planOf(head: Expected & { kind: 'query' | 'execute' }): MaskPlan | undefined {
    const { running } = head;
    if (running.plan !== undefined || head.kind === 'query') return running.plan;
    const { portal } = head;
    const described = describedFields(portal);
    if (described === undefined || described === null) return undefined;
    running.plan = this.#plan(running, described, portal.resultFormats);
    running.described = true;
    return running.plan;
  }

  /** The plan says of which result the sample is, so that each further result of an operation has a plan of its own. */
  #plan(running: Running, fields: readonly FieldDescription[], formats: readonly Format[] | undefined): MaskPlan {
    const { masks } = this.#talk.sight();
    const { samplePlan, understanding } = running;
    return (samplePlan === undefined ? this.#descriptions : new Descriptions()).plan(masks, understanding, fields, formats);
  }

  // ---- messages

  #message(message: ServerMessage): void {
    const { expected } = this.#talk;
    const head = expected.head;
    switch (message.kind) {
      case 'ParseComplete':
        if (head?.kind === 'probe') return;
        if (isBound(head)) {
          this.#talk.names.close('S', '');
          return;
        }
        if (head?.kind !== 'parse') throw unexpected(message.kind, head);
        this.#talk.names.prepare(head.statement);
        this.#pop(head);
        this.#pass();
        return;
      case 'BindComplete':
        if (isBound(head)) {
          this.#talk.names.close('P', '');
          this.#talk.lookedUp = true;
          return;
        }
        if (head?.kind !== 'bind') throw unexpected(message.kind, head);
        this.#talk.names.open(head.portal);
        if (head.portal.looksUp === true) this.#talk.lookedUp = true;
        this.#pop(head);
        this.#pass();
        return;
      case 'CloseComplete':
        if (head?.kind === 'probe' || isBound(head)) return;
        if (head?.kind !== 'close') throw unexpected(message.kind, head);
        this.#talk.names.close(head.what, head.name);
        this.#pop(head);
        this.#pass();
        return;
      case 'ParameterDescription':
        if (head?.kind === 'probe' || (head?.kind === 'describe-statement' && head.hidden)) return;
        if (head?.kind !== 'describe-statement') throw unexpected(message.kind, head);
        this.#pass();
        return;
      case 'NoData':
        this.#described(null, head);
        return;
      case 'CommandComplete':
        this.#commandComplete(message.tag, head);
        return;
      case 'EmptyQueryResponse':
        if (head?.kind !== 'query' && head?.kind !== 'execute') throw unexpected(message.kind, head);
        if (head.running.understanding.reasonChange === undefined) this.#passOf(head.running);
        else this.#put(encode.commandComplete(head.running.understanding.reasonChange.tag));
        if (head.kind === 'execute') this.#endExecute(head, 'succeeded');
        return;
      case 'PortalSuspended':
        if (head?.kind !== 'execute') throw unexpected(message.kind, head);
        this.#passOf(head.running);
        this.#endExecute(head, 'succeeded');
        return;
      case 'ErrorResponse':
        this.#error(message.fields, head);
        return;
      case 'ReadyForQuery':
        this.#ready(message.status, head);
        return;
      case 'CopyInResponse':
      case 'CopyOutResponse':
        this.#copyBegins(message.kind, message.format, head);
        return;
      case 'CopyData':
        this.#copyData(message.data);
        return;
      case 'CopyDone':
        if (this.#talk.copying?.direction !== 'out') throw unexpected(message.kind, head);
        this.#passOf(this.#talk.copying.running);
        this.#talk.copying = undefined;
        return;
      case 'NoticeResponse':
        this.#masked(message.fields, this.#maskFields(message.fields, head), encode.noticeResponse);
        return;
      case 'NotificationResponse': {
        const payload = maskNotification(this.#talk.sight().masks, message.payload);
        if (payload === message.payload) this.#tell(this.#talk.upstreamFramer.view());
        else this.#tell(encode.notificationResponse(message.processId, message.channel, payload));
        return;
      }
      case 'ParameterStatus': {
        checkPinned(message.name, message.value, this.#talk.session.target);
        const { masks } = this.#talk.sight();
        const isKnown = this.#settings.isKnown(message.name, message.value, isPlain(masks, factsOf(head)));
        const value = maskParameterStatus(masks, message.name, message.value, isKnown);
        if (message.name === 'application_name') this.#talk.reasons.applicationBecame(isKnown ? message.value : '');
        if (value === message.value) this.#tell(this.#talk.upstreamFramer.view());
        else this.#tell(encode.parameterStatus(message.name, value));
        return;
      }
      default:
        throw unexpected(message.kind, head);
    }
  }

  #described(fields: readonly FieldDescription[] | null, head: Expected | undefined): void {
    switch (head?.kind) {
      case 'probe':
        head.fields = fields ?? [];
        return;
      case 'describe-statement':
        head.statement.fields = fields;
        if (!head.hidden) this.#pass();
        this.#pop(head);
        return;
      case 'describe-portal':
        head.portal.fields = fields;
        if (!head.hidden) this.#pass();
        this.#pop(head);
        return;
      case 'query':
        if (fields === null && head.bound) return;
        if (fields === null) throw unexpected('NoData', head);
        head.running.plan = this.#plan(head.running, fields, undefined);
        head.running.described = true;
        this.#passOf(head.running);
        return;
      default:
        throw unexpected('RowDescription', head);
    }
  }

  #commandComplete(tag: string, head: Expected | undefined): void {
    if (head?.kind !== 'query' && head?.kind !== 'execute') throw unexpected('CommandComplete', head);
    const { running } = head;
    if (!running.described && running.stopped === undefined) running.rows += rowsOf(tag);
    running.copied = 0;
    running.described = false;
    if (running.plan !== undefined) this.#descriptions.done(running.plan);
    running.plan = undefined;
    const effects = running.understanding.statements[running.completed]?.sessionEffects ?? [];
    if (effects.length > 0) {
      this.#talk.names.apply(effects, running.source);
      this.#talk.reasons.apply(effects);
      this.#settings.apply(effects);
    }
    running.completed += 1;
    const { understanding } = running;
    if (understanding.defines !== 'nothing') this.#talk.defined(understanding.defines, understanding);
    this.#passOf(running);
    if (head.kind === 'execute') this.#endExecute(head, 'succeeded');
  }

  /** What follows in an answer that was stopped is not shown. */
  #passOf(running: Running): void {
    if (running.stopped === undefined) this.#pass();
  }

  #endExecute(head: Expected & { kind: 'execute' }, outcome: 'succeeded'): void {
    const { running, portal } = head;
    this.#tellMasked(running);
    if (running.stopped !== undefined) this.#failAsTold(running, running.stopped);
    else if (running.allowance !== undefined)
      portal.shown = { rows: (portal.shown?.rows ?? 0) + running.rows, bytes: (portal.shown?.bytes ?? 0) + running.bytes };
    this.#pop(head);
    if (running.stopped === undefined) {
      this.#complete(running, this.#talk.stopping.silent ? 'cancelled' : outcome);
      return;
    }
    this.#complete(running, 'failed');
    this.#talk.stopping.silent = true;
    if (this.#talk.expected.has('sync')) return;
    this.#talk.stopping.fence(false);
    this.#talk.skipping = true;
  }

  /** The target has ended without an error what the client must take for failed. */
  #failAsTold(running: Running, fault: GatewayFault): void {
    const fields = faultFields(fault, { phase: 'operation', operationId: running.id });
    running.errorCode = fields.get('C');
    running.reason = fault.publicMessage;
    this.#put(encode.errorResponse(fields));
  }

  /** Answers go out before the operation is reported complete. */
  #complete(running: Running, outcome: 'succeeded' | 'failed' | 'cancelled'): void {
    this.#flush();
    this.#settings.ended(running);
    this.#talk.complete(running, outcome);
  }

  /** What was masked in an operation's answer, by class, in a notice behind its rows. */
  #tellMasked(running: Running): void {
    if (!running.maskedAny) return;
    const classes = [...running.masked].map(([name, count]) => `${name} (${count} ${count === 1 ? 'value' : 'values'})`);
    this.#put(notice(`masked: ${classes.join(', ')}`));
  }

  // ---- errors and the end of a cycle

  #error(fields: ReadonlyMap<string, string>, head: Expected | undefined): void {
    this.#talk.copying = undefined;
    const { expected } = this.#talk;
    if (head?.kind === 'probe') return;
    const running = head?.kind === 'query' || head?.kind === 'execute' ? head.running : undefined;
    const stopped = this.#talk.stopping.wording(fields, running);
    if (running !== undefined) running.errorCode = fields.get('C') ?? 'XX000';
    if (head?.kind === 'refused') {
      this.#put(faultMessage(head.fault, { phase: 'operation', operationId: head.operationId, majorVersion: this.#majorVersion }));
    } else if (stopped !== undefined && running !== undefined) this.#failAsTold(running, stopped);
    else if (stopped !== undefined) this.#put(faultMessage(stopped, { phase: 'operation' }));
    else if (head?.kind !== 'fence') {
      this.#masked(fields, this.#maskFields(fields, head), encode.errorResponse);
    }
    if (head === undefined || head.kind === 'query' || ((head.kind === 'refused' || head.kind === 'fence') && head.simple)) return;
    // An error in an extended cycle: the server passes over everything up to Sync, and so do we.
    for (let next = expected.head; next !== undefined && next.kind !== 'sync'; next = expected.head) this.#skipped(next, running);
    if (!expected.isEmpty) return;
    this.#talk.skipping = true;
    this.#talk.stopping.silent = false;
  }

  #skipped(entry: Expected, failed: Running | undefined): void {
    this.#pop(entry, false);
    if (entry.kind !== 'execute' && entry.kind !== 'query') return;
    this.#complete(entry.running, entry.running === failed ? 'failed' : 'cancelled');
  }

  #ready(status: 'I' | 'T' | 'E', head: Expected | undefined): void {
    const isSimple = (head?.kind === 'refused' || head?.kind === 'fence') && head.simple;
    const wanted = head?.kind === 'sync' || head?.kind === 'query' || head?.kind === 'probe' || isSimple;
    const late = head === undefined && this.#talk.ignoredSyncs > 0;
    if (!wanted && !late) throw unexpected('ReadyForQuery', head);
    this.#talk.transaction = status;
    if (status === 'I') {
      this.#talk.lookedUp = false;
      this.#talk.names.transactionEnded();
      this.#talk.settled();
    }
    if (late) {
      // The copy failed before the server had read the Sync that it would have ignored within it.
      this.#talk.ignoredSyncs -= 1;
      this.#talk.skipping = false;
    }
    if (head?.kind === 'query') {
      this.#tellMasked(head.running);
      const { stopped, errorCode } = head.running;
      if (stopped !== undefined && errorCode === undefined) {
        const stands = status === 'I' && !head.running.understanding.pureRead;
        this.#failAsTold(head.running, stands ? ranToItsEnd(stopped) : stopped);
        this.#talk.stopping.silent = true;
      }
    }
    const { stopping } = this.#talk;
    // The client was told of an error, so that its transaction has to have failed.
    const needsFence = stopping.silent && status === 'T' && head?.kind !== 'fence' && this.#talk.expected.length === 1;
    if (!needsFence) stopping.silent = false;
    if (head?.kind !== 'probe') this.#pass();
    if (head === undefined) return;
    this.#pop(head);
    if (head.kind === 'query') this.#complete(head.running, head.running.errorCode === undefined ? 'succeeded' : 'failed');
    if (needsFence) stopping.fence(true);
  }

  #maskFields(fields: ReadonlyMap<string, string>, head: Expected | undefined): ReadonlyMap<string, string> {
    const lookedUp = this.#talk.lookedUp || isBound(head) || (head?.kind === 'bind' && head.portal.looksUp === true);
    return maskFields(this.#talk.sight().masks, factsOf(head), fields, lookedUp);
  }

  #masked(
    before: ReadonlyMap<string, string>,
    after: ReadonlyMap<string, string>,
    encoded: (fields: ReadonlyMap<string, string>) => Uint8Array,
  ): void {
    if (after === before) this.#pass();
    else this.#put(encoded(after));
  }

  /** `answered`: false where the server passes over it. */
  #pop(entry: Expected, answered = true): void {
    this.#talk.expected.pop();
    this.#client.settled(entry, answered);
  }

  // ---- copy

  #copyBegins(kind: 'CopyInResponse' | 'CopyOutResponse', format: 0 | 1, head: Expected | undefined): void {
    if (head?.kind !== 'query' && head?.kind !== 'execute') throw unexpected(kind, head);
    const { running } = head;
    if (kind === 'CopyOutResponse' && format === 1 && !this.#talk.sight().masks.detectors.isEmpty) {
      throw new GatewayFault('masking-refused', {
        publicMessage: 'a binary COPY cannot be searched for sensitive values',
        hint: 'Copy in text or CSV format.',
      });
    }
    const direction = kind === 'CopyInResponse' ? 'in' : 'out';
    const wanted = direction === 'in' ? 'from-client' : 'to-client';
    if (this.#talk.copying !== undefined || !running.understanding.statements.some(({ copy }) => copy?.direction === wanted))
      throw unexpected(kind, head);
    if (running.stopped !== undefined && direction === 'in') {
      // The client was not told that it may send.
      this.#talk.forward(encode.copyFail('stopped'), running.grant);
      return;
    }
    this.#talk.copying = { direction, running };
    // A Sync that was already sent reaches the server inside the copy, where it is ignored ("COPY Operations").
    if (direction === 'in') this.#talk.ignoredSyncs = head.kind === 'execute' ? this.#talk.expected.dropSyncs() : 0;
    this.#passOf(running);
    this.#talk.stopping.failCopy();
  }

  #copyData(data: Uint8Array): void {
    const copying = this.#talk.copying;
    if (copying?.direction !== 'out') throw unexpected('CopyData', this.#talk.expected.head);
    const { running } = copying;
    if (this.#isHidden(running)) return;
    const masked = maskCopyLine(this.#talk.sight().masks, data, running.masked);
    const bytes = masked === undefined ? this.#talk.upstreamFramer.view() : encode.copyData(masked);
    if (!fits(running, 1, bytes.length, this.#left)) return this.#stop(running, 1, bytes.length);
    this.#count(running, 1, bytes.length);
    if (masked === undefined) this.#pass();
    else this.#put(bytes);
  }
}

function wantsSample(running: Running, plan: MaskPlan): boolean {
  return running.sample.length < sampleRows && (running.samplePlan === undefined || running.samplePlan === plan);
}

function isBound(head: Expected | undefined): boolean {
  return head?.kind === 'query' && head.bound;
}

function factsOf(head: Expected | undefined) {
  return head?.kind === 'query' || head?.kind === 'execute' ? head.running.understanding.maskFacts : undefined;
}

function unexpected(what: string, head: Expected | undefined): GatewayFault {
  return new GatewayFault('protocol-violation', {
    publicMessage: 'the target sent a message that was not expected',
    detail: `upstream ${what} while ${head?.kind ?? 'nothing'} was expected`,
  });
}

/** Rows of a result that the recording keeps. */
const sampleRows = 3;

import type { GatewayFault } from '../../core/fault.ts';
import { ranToItsEnd } from './allowance.ts';
import type { Conversation } from './conversation.ts';
import { decodeServer, rowsOf } from './decode.ts';
import * as encode from './encode.ts';
import type { Expected, Running } from './expected.ts';
import { faultFields, faultMessage } from './fault.ts';
import { checkPinned, type UpstreamReady } from './login.ts';
import { isPlain, maskFields, maskNotification, maskParameterStatus, type MaskFacts } from './mask.ts';
import { HEADER_BYTES, SERVER_TAG, type FieldDescription, type ServerMessage } from './messages.ts';
import type { ClientRelay } from './relay-client.ts';
import { ReportedSettings } from './reported-settings.ts';
import { unexpected } from './unexpected.ts';
import { UpstreamCopy } from './upstream-copy.ts';
import { UpstreamOutput } from './upstream-output.ts';
import { UpstreamRows } from './upstream-rows.ts';

/**
 * The target's direction of a ready session. Follows the answers in the order in which they were asked for, masks what must be masked,
 * and passes everything else on as views of the bytes that came: neighbours go as one piece.
 */
export class UpstreamRelay {
  readonly #talk: Conversation;
  readonly #client: ClientRelay;
  readonly #majorVersion: number | undefined;
  readonly #output: UpstreamOutput;
  readonly #rows: UpstreamRows;
  readonly #copy: UpstreamCopy;
  readonly #settings: ReportedSettings;

  constructor(talk: Conversation, client: ClientRelay, { majorVersion, settings }: UpstreamReady) {
    this.#talk = talk;
    this.#client = client;
    this.#majorVersion = majorVersion;
    this.#output = new UpstreamOutput(talk);
    this.#rows = new UpstreamRows(talk, this.#output);
    this.#copy = new UpstreamCopy(talk, this.#output, this.#rows);
    this.#settings = new ReportedSettings(settings);
  }

  receive(): void {
    const { upstreamFramer, stopping, doubts, expected } = this.#talk;
    this.#rows.begin();
    try {
      while (!doubts.holds(expected.head)) {
        const begun = upstreamFramer.remaining;
        const found = upstreamFramer.next(this.#rows.table());
        if (found === undefined) break;
        if (found === 'run') this.#rows.run(upstreamFramer.counted, begun);
        else if (upstreamFramer.tag === SERVER_TAG.DataRow) this.#rows.one();
        else if (upstreamFramer.tag === SERVER_TAG.RowDescription)
          this.#described(this.#rows.fields(upstreamFramer.body()), this.#talk.expected.head);
        else {
          const { tag, bytes, start, end } = upstreamFramer;
          this.#message(decodeServer(tag, bytes, start + HEADER_BYTES, end));
        }
      }
    } finally {
      // What passed before a fault goes out in front of its wording: else a message could stand in the middle of another.
      this.#output.flush();
      this.#rows.end();
    }
    stopping.settle();
    this.#talk.flushNotices();
    this.#client.pump();
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
        this.#output.pass();
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
        this.#output.pass();
        return;
      case 'CloseComplete':
        if (head?.kind === 'probe' || isBound(head)) return;
        if (head?.kind !== 'close') throw unexpected(message.kind, head);
        this.#talk.names.close(head.what, head.name);
        this.#pop(head);
        this.#output.pass();
        return;
      case 'ParameterDescription':
        if (head?.kind === 'probe' || (head?.kind === 'describe-statement' && head.hidden)) return;
        if (head?.kind !== 'describe-statement') throw unexpected(message.kind, head);
        this.#output.pass();
        return;
      case 'NoData':
        this.#described(null, head);
        return;
      case 'CommandComplete':
        this.#commandComplete(message.tag, head);
        return;
      case 'EmptyQueryResponse':
        if (head?.kind !== 'query' && head?.kind !== 'execute') throw unexpected(message.kind, head);
        if (head.running.understanding.reasonChange === undefined) this.#output.passOf(head.running);
        else this.#output.put(encode.commandComplete(head.running.understanding.reasonChange.tag));
        if (head.kind === 'execute') this.#endExecute(head, 'succeeded');
        return;
      case 'PortalSuspended':
        if (head?.kind !== 'execute') throw unexpected(message.kind, head);
        this.#output.passOf(head.running);
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
        this.#copy.begins(message.kind, message.format, head);
        return;
      case 'CopyData':
        this.#copy.data(message.data);
        return;
      case 'CopyDone':
        this.#copy.done(head);
        return;
      case 'NoticeResponse':
        this.#output.masked(message.fields, this.#maskFields(message.fields, head), encode.noticeResponse);
        return;
      case 'NotificationResponse': {
        const payload = maskNotification(this.#talk.sight().masks, message.payload);
        if (payload === message.payload) this.#output.tell(this.#talk.upstreamFramer.view());
        else this.#output.tell(encode.notificationResponse(message.processId, message.channel, payload));
        return;
      }
      case 'ParameterStatus': {
        checkPinned(message.name, message.value, this.#talk.session.target);
        const { masks } = this.#talk.sight();
        const isKnown = this.#settings.isKnown(message.name, message.value, isPlain(masks, this.#factsOf(head)));
        const value = maskParameterStatus(masks, message.name, message.value, isKnown);
        if (message.name === 'application_name') this.#talk.reasons.applicationBecame(isKnown ? message.value : '');
        if (value === message.value) this.#output.tell(this.#talk.upstreamFramer.view());
        else this.#output.tell(encode.parameterStatus(message.name, value));
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
        if (!head.hidden) this.#output.pass();
        this.#pop(head);
        return;
      case 'describe-portal':
        head.portal.fields = fields;
        if (!head.hidden) this.#output.pass();
        this.#pop(head);
        return;
      case 'query':
        if (fields === null && head.bound) return;
        if (fields === null) throw unexpected('NoData', head);
        head.running.plan = this.#rows.plan(head.running, fields, undefined);
        head.running.described = true;
        head.running.isShowing = true;
        this.#output.passOf(head.running);
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
    running.isShowing = false;
    if (running.plan !== undefined) this.#rows.done(running.plan);
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
    this.#output.passOf(running);
    if (head.kind === 'execute') this.#endExecute(head, 'succeeded');
  }

  #endExecute(head: Expected & { kind: 'execute' }, outcome: 'succeeded'): void {
    const { running, portal } = head;
    this.#output.tellMasked(running);
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
    this.#output.put(encode.errorResponse(fields));
  }

  /** Answers go out before the operation is reported complete. */
  #complete(running: Running, outcome: 'succeeded' | 'failed' | 'cancelled'): void {
    this.#output.flush();
    this.#settings.ended(running);
    this.#talk.complete(running, outcome);
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
      this.#output.put(faultMessage(head.fault, { phase: 'operation', operationId: head.operationId, majorVersion: this.#majorVersion }));
    } else if (stopped !== undefined && running !== undefined) this.#failAsTold(running, stopped);
    else if (stopped !== undefined) this.#output.put(faultMessage(stopped, { phase: 'operation' }));
    else if (head?.kind !== 'fence') {
      this.#output.masked(fields, this.#maskFields(fields, head), encode.errorResponse);
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
      this.#output.tellMasked(head.running);
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
    if (head?.kind !== 'probe') this.#output.pass();
    if (head === undefined) return;
    this.#pop(head);
    this.#talk.defining.ready(status);
    if (head.kind === 'query') this.#complete(head.running, head.running.errorCode === undefined ? 'succeeded' : 'failed');
    if (needsFence) stopping.fence(true);
  }

  #maskFields(fields: ReadonlyMap<string, string>, head: Expected | undefined): ReadonlyMap<string, string> {
    const lookedUp = this.#talk.lookedUp || isBound(head) || (head?.kind === 'bind' && head.portal.looksUp === true);
    return maskFields(this.#talk.sight().masks, this.#factsOf(head), fields, lookedUp);
  }

  #factsOf(head: Expected | undefined): MaskFacts | undefined {
    if (head?.kind !== 'query' && head?.kind !== 'execute') return undefined;
    const { maskFacts } = head.running.understanding;
    return this.#talk.doubts.isIn(head.running) ? { ...maskFacts, beyond: true, opaque: true } : maskFacts;
  }

  /** `answered`: false where the server passes over it. */
  #pop(entry: Expected, answered = true): void {
    this.#talk.expected.pop();
    this.#client.settled(entry, answered);
  }
}

function isBound(head: Expected | undefined): boolean {
  return head?.kind === 'query' && head.bound;
}

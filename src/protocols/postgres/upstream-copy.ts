import { GatewayFault } from '../../core/fault.ts';
import type { Conversation } from './conversation.ts';
import * as encode from './encode.ts';
import type { Expected } from './expected.ts';
import { maskCopyLine } from './mask-copy.ts';
import { unexpected } from './unexpected.ts';
import type { UpstreamOutput } from './upstream-output.ts';
import type { UpstreamRows } from './upstream-rows.ts';

/** What the target says of a copy, in either direction (manual, "COPY Operations"). */
export class UpstreamCopy {
  readonly #talk: Conversation;
  readonly #output: UpstreamOutput;
  readonly #rows: UpstreamRows;

  constructor(talk: Conversation, output: UpstreamOutput, rows: UpstreamRows) {
    this.#talk = talk;
    this.#output = output;
    this.#rows = rows;
  }

  begins(kind: 'CopyInResponse' | 'CopyOutResponse', format: 0 | 1, head: Expected | undefined): void {
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
    this.#output.passOf(running);
    this.#talk.stopping.failCopy();
  }

  data(data: Uint8Array): void {
    const copying = this.#talk.copying;
    if (copying?.direction !== 'out') throw unexpected('CopyData', this.#talk.expected.head);
    const { running } = copying;
    if (this.#rows.isHidden(running)) return;
    const masked = maskCopyLine(this.#talk.sight().masks, data, running.masked);
    const bytes = masked === undefined ? this.#talk.upstreamFramer.view() : encode.copyData(masked);
    if (!this.#rows.admits(running, bytes.length)) return;
    if (masked === undefined) this.#output.pass();
    else this.#output.put(bytes);
  }

  done(head: Expected | undefined): void {
    if (this.#talk.copying?.direction !== 'out') throw unexpected('CopyDone', head);
    this.#output.passOf(this.#talk.copying.running);
    this.#talk.copying = undefined;
  }
}

import * as encode from '../encode.ts';
import { decodeClient } from '../decode.ts';
import { createFramer, tagTable } from '../frame.ts';
import { CLIENT_TAG, type ClientMessage, type FieldDescription, type TransactionStatus } from '../messages.ts';

/** What a statement answers in the fake server. */
export interface FakeResult {
  readonly fields?: readonly FieldDescription[];
  readonly rows?: readonly (readonly (string | null)[])[];
  readonly tag: string;
  /** SQLSTATE; the statement fails. */
  readonly error?: string;
  readonly copy?: 'in' | 'out';
}

interface Portal {
  readonly text: string;
  at: number;
}

/**
 * A PostgreSQL server after sign-on, in memory: names, cycles, transactions, copies and passing over to Sync as the manual's "Message
 * Flow" has them; what a statement means comes from a table. Answers are kept back until Flush, Sync or the end of a Query, as the
 * server's own buffer may.
 */
export class FakeServer {
  readonly ran: string[] = [];
  /** The same with EXECUTE and FETCH replaced by what they ran. */
  readonly meant: string[] = [];
  readonly statements = new Map<string, string>();
  readonly portals = new Map<string, Portal>();
  readonly messages: ClientMessage[] = [];
  status: TransactionStatus = 'I';
  killed = false;
  readonly #framer = createFramer();
  readonly #results: (text: string) => FakeResult;
  #skipping = false;
  #out: Uint8Array[] = [];
  #kept: Uint8Array[] = [];
  #copy: { readonly extended: boolean; readonly tag: string; rows: number } | undefined;

  constructor(results: (text: string) => FakeResult) {
    this.#results = results;
  }

  /** True between two messages. */
  get atBoundary(): boolean {
    return this.#framer.unreadBytes === 0;
  }

  /** Takes what the gateway forwards; returns what the server sends by now. */
  receive(bytes: Uint8Array): Uint8Array[] {
    this.#framer.push(bytes);
    while (!this.killed && this.#framer.next(everything) !== undefined) {
      const message = decodeClient(this.#framer.tag, this.#framer.body());
      this.messages.push(message);
      this.#message(message);
    }
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #message(message: ClientMessage): void {
    if (message.kind === 'Terminate') {
      this.killed = true;
      return;
    }
    if (this.#copy !== undefined) {
      this.#copying(message, this.#copy);
      return;
    }
    if (this.#skipping && message.kind !== 'Sync') return;
    switch (message.kind) {
      case 'Query':
        this.#query(message.query);
        return;
      case 'Parse':
        if (this.#syntaxError(message.query)) return;
        if (message.name !== '' && this.statements.has(message.name)) this.#fail('42P05', `statement "${message.name}" exists`);
        else {
          this.statements.set(message.name, message.query);
          this.#send(encode.emptyServerMessage('ParseComplete'));
        }
        return;
      case 'Bind': {
        const text = this.statements.get(message.statement);
        if (text === undefined) this.#fail('26000', `statement "${message.statement}" does not exist`);
        else if (message.portal !== '' && this.portals.has(message.portal)) this.#fail('42P03', `portal "${message.portal}" exists`);
        else if (this.status === 'E' && !text.startsWith('rollback')) this.#fail('25P02', 'transaction is aborted');
        else {
          this.portals.set(message.portal, { text, at: 0 });
          this.#send(encode.emptyServerMessage('BindComplete'));
        }
        return;
      }
      case 'Describe': {
        const text = message.what === 'S' ? this.statements.get(message.name) : this.portals.get(message.name)?.text;
        if (text === undefined) this.#fail(message.what === 'S' ? '26000' : '34000', `"${message.name}" does not exist`);
        else {
          if (message.what === 'S') this.#send(encode.parameterDescription([]));
          const { fields } = this.#meaning(text);
          this.#send(fields === undefined ? encode.emptyServerMessage('NoData') : encode.rowDescription(fields));
        }
        return;
      }
      case 'Execute': {
        const portal = this.portals.get(message.portal);
        if (portal === undefined) this.#fail('34000', `portal "${message.portal}" does not exist`);
        else this.#run(portal, message.maxRows, true);
        return;
      }
      case 'Close':
        (message.what === 'S' ? this.statements : this.portals).delete(message.name);
        this.#send(encode.emptyServerMessage('CloseComplete'));
        return;
      case 'Flush':
        this.#flush();
        return;
      case 'Sync':
        this.#skipping = false;
        this.#ready();
        return;
      default:
        return;
    }
  }

  #query(text: string): void {
    this.statements.delete('');
    this.portals.delete('');
    if (this.#syntaxError(text, true)) return;
    const parts = text.split(';').map((part) => part.trim());
    if (parts.every((part) => part === '')) this.#send(encode.emptyServerMessage('EmptyQueryResponse'));
    for (const part of parts) {
      if (part === '') continue;
      const failed = !this.#run({ text: part, at: 0 }, 0, false);
      if (this.#copy !== undefined) return;
      if (failed) break;
    }
    this.#ready();
  }

  #run(portal: Portal, maxRows: number, extended: boolean): boolean {
    const { text } = portal;
    if (this.status === 'E' && !/^(?:rollback|commit)/.test(text)) return this.#fail('25P02', 'transaction is aborted', extended);
    this.ran.push(text);
    this.meant.push(this.#named(text) ?? text);
    const result = this.#meaning(text);
    const error = result.error ?? this.#effects(text);
    if (error !== undefined) return this.#fail(error, `failed: ${text}`, extended);
    if (result.copy === 'in') {
      this.#send(encode.copyResponse('CopyInResponse', 0, [0]));
      this.#flush();
      this.#copy = { extended, tag: 'COPY', rows: 0 };
      return true;
    }
    if (result.copy === 'out') this.#send(encode.copyResponse('CopyOutResponse', 0, [0]));
    else if (result.fields !== undefined && !extended) this.#send(encode.rowDescription(result.fields));
    const rows = result.rows ?? [];
    const until = maxRows > 0 ? Math.min(rows.length, portal.at + maxRows) : rows.length;
    for (; portal.at < until; portal.at += 1) {
      const cells = rows[portal.at]!.map((cell) => (cell === null ? null : encoder.encode(cell)));
      this.#send(result.copy === 'out' ? encode.copyData(encoder.encode(`${rows[portal.at]!.join('\t')}\n`)) : encode.dataRow(cells));
    }
    if (result.copy === 'out') this.#send(encode.emptyServerMessage('CopyDone'));
    this.#send(portal.at < rows.length ? encode.emptyServerMessage('PortalSuspended') : encode.commandComplete(result.tag));
    return true;
  }

  #meaning(text: string): FakeResult {
    const named = this.#named(text);
    return named === undefined ? { tag: '', error: text.startsWith('execute') ? '26000' : '34000' } : this.#results(named);
  }

  /** EXECUTE and FETCH run what they name; undefined where that is nothing. */
  #named(text: string): string | undefined {
    const [, word, name = ''] = /^(execute|fetch all from) "?([^" ]+)/.exec(text) ?? [];
    if (word === undefined) return text;
    const named = word === 'execute' ? this.statements.get(name) : this.portals.get(name)?.text;
    return named === undefined || named === text ? undefined : this.#named(named);
  }

  /** What the statement does to transaction and names; an SQLSTATE where it cannot. */
  #effects(text: string): string | undefined {
    const [, word = '', name = '', rest = ''] =
      /^(begin|commit|rollback|prepare|deallocate|declare|close|discard all)\b *"?([^" ]*)"?(?: (?:as|cursor(?: with hold)? for) (.*))?/.exec(
        text,
      ) ?? [];
    const { statements, portals } = this;
    switch (word) {
      case 'begin':
        this.status = 'T';
        return undefined;
      case 'commit':
        this.#endTransaction();
        return undefined;
      case 'rollback':
        if (name !== 'to') this.#endTransaction();
        else if (this.status === 'I') return '25P01';
        else this.status = 'T';
        return undefined;
      case 'prepare':
        if (statements.has(name)) return '42P05';
        statements.set(name, rest);
        return undefined;
      case 'declare':
        if (portals.has(name)) return '42P03';
        portals.set(name, { text: rest, at: 0 });
        return undefined;
      case 'deallocate':
        if (name === 'all') statements.clear();
        else if (!statements.delete(name)) return '26000';
        return undefined;
      case 'close':
        return portals.delete(name) ? undefined : '34000';
      case 'discard all':
        statements.clear();
        portals.clear();
        return undefined;
      default:
        return undefined;
    }
  }

  #endTransaction(): void {
    this.status = 'I';
    this.portals.clear();
  }

  #copying(message: ClientMessage, copy: { readonly extended: boolean; readonly tag: string; rows: number }): void {
    switch (message.kind) {
      case 'CopyData':
        copy.rows += 1;
        if (!decoder.decode(message.data).includes('bad')) return;
        this.#copy = undefined;
        this.#fail('22P04', `COPY, line ${copy.rows}: ${decoder.decode(message.data)}`, copy.extended);
        if (copy.extended) this.#flush();
        else this.#ready();
        return;
      case 'CopyDone':
        this.#copy = undefined;
        this.#send(encode.commandComplete(`COPY ${copy.rows}`));
        if (!copy.extended) this.#ready();
        return;
      case 'CopyFail':
        this.#copy = undefined;
        this.#fail('57014', 'COPY from stdin failed', copy.extended);
        if (!copy.extended) this.#ready();
        return;
      case 'Flush':
      case 'Sync':
        return;
      default:
        this.#fail('08P01', `unexpected message type ${message.kind} during COPY from stdin`);
        this.#flush();
        this.killed = true;
    }
  }

  #syntaxError(text: string, simple = false): boolean {
    if (!text.includes('REFUSED')) return false;
    this.#fail('42601', 'syntax error at or near "REFUSED"', !simple);
    if (simple) this.#ready();
    return true;
  }

  #fail(state: string, text: string, extended = true): false {
    this.#send(
      encode.errorResponse(
        new Map([
          ['S', 'ERROR'],
          ['V', 'ERROR'],
          ['C', state],
          ['M', text],
        ]),
      ),
    );
    if (this.status === 'T') this.status = 'E';
    if (extended) {
      this.#skipping = true;
      this.#flush();
    }
    return false;
  }

  #ready(): void {
    if (this.status === 'I') this.portals.clear();
    this.#send(encode.readyForQuery(this.status));
    this.#flush();
  }

  #send(bytes: Uint8Array): void {
    this.#kept.push(bytes);
  }

  #flush(): void {
    this.#out.push(...this.#kept);
    this.#kept = [];
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const everything = tagTable({
  expecting: 'a client message',
  open: Object.values(CLIENT_TAG)
    .filter((tag) => tag !== CLIENT_TAG.AuthenticationResponse)
    .map((tag) => [tag, 0x3fff_ffff] as const),
});

import type { Outcome } from '../../core/effect.ts';
import { GatewayFault, toFault } from '../../core/fault.ts';
import type { Operation } from '../../core/operation.ts';
import type { Conversation } from './conversation.ts';
import { resultFields } from './conversation.ts';
import { decodeClient } from './decode.ts';
import * as encode from './encode.ts';
import { running, type Expected, type Running } from './expected.ts';
import { tagTable } from './frame.ts';
import { planColumns, type BoundParameter } from './mask.ts';
import { CLIENT_TAG, HEADER_BYTES, LIMIT_BYTES, type Bind, type ClientMessage, type FieldDescription, type Parse } from './messages.ts';
import { postgresOperation, type Asked } from './operation.ts';
import type { Portal, PreparedStatement } from './names.ts';
import type { Understanding } from './understanding.ts';

/** A portal that the client bound and the server may not have confirmed yet, with what was granted for it in this cycle. */
interface BoundPortal {
  readonly portal: Portal;
  readonly asked: Asked;
  running: Running | undefined;
}

/**
 * The client's direction of a ready session. Each statement is asked for before it goes; while an answer is awaited nothing further of
 * the client is read. A refused statement is replaced by one that must fail, so that the server itself puts the refusal in its place
 * among the answers and into the transaction's state (traps 1 and 5).
 */
export class ClientRelay {
  readonly #talk: Conversation;
  #awaiting: { readonly operationId: string; readonly resume: (outcome: Outcome) => void } | undefined;
  #probing = false;
  /** Names given in this cycle, ahead of the server's confirmation: pipelined messages may use them at once. */
  readonly #pendingStatements = new Map<string, PreparedStatement>();
  readonly #pendingPortals = new Map<string, BoundPortal>();

  constructor(talk: Conversation) {
    this.#talk = talk;
  }

  pump(): void {
    const { clientFramer } = this.#talk;
    while (this.#awaiting === undefined && !this.#probing) {
      const copyIn = this.#talk.copying?.direction === 'in';
      const found = clientFramer.next(copyIn ? copyTable : readyTable);
      if (found === undefined) return;
      if (found === 'run') this.#talk.forward(clientFramer.view(), this.#talk.copying!.running.grant);
      else this.#message(decodeClient(clientFramer.tag, clientFramer.body()), clientFramer.view(), copyIn);
    }
  }

  decided(operationId: string, outcome: Outcome): void {
    const awaiting = this.#awaiting;
    if (awaiting?.operationId !== operationId)
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'decision for another operation' });
    this.#awaiting = undefined;
    awaiting.resume(outcome);
    this.pump();
  }

  #message(message: ClientMessage, view: Uint8Array, copyIn: boolean): void {
    if (message.kind === 'Terminate') {
      this.#talk.housekeep(view);
      this.#talk.out.push({ kind: 'close', fault: undefined });
      return;
    }
    if (copyIn) this.#copyEnd(message, view);
    else if (this.#talk.skipping && message.kind !== 'Sync') return;
    else this.#ready(message, view);
  }

  #ready(message: ClientMessage, view: Uint8Array): void {
    const { expected } = this.#talk;
    switch (message.kind) {
      case 'Query':
        this.#query(message.query, view);
        return;
      case 'Parse':
        this.#parse(message, view);
        return;
      case 'Bind':
        this.#bind(message, view);
        return;
      case 'Execute':
        this.#execute(message.portal, view);
        return;
      case 'Describe':
        this.#describe(message.what, message.name, view);
        return;
      case 'Close':
        this.#close(message.what, message.name);
        expected.push({ kind: 'close', what: message.what, name: message.name });
        this.#talk.housekeep(view);
        return;
      case 'Flush':
        this.#talk.housekeep(view);
        return;
      case 'Sync':
        this.#sync(view);
        return;
      case 'CopyData':
      case 'CopyDone':
      case 'CopyFail':
        // The server ignores them outside a copy ("COPY Operations" in the manual); a client may still be sending when a copy fails.
        return;
      case 'FunctionCall':
        throw new GatewayFault('unsupported', {
          publicMessage: 'the function call message is refused',
          hint: 'Call the function in a SELECT.',
        });
      case 'Terminate':
        return;
    }
  }

  // ---- simple protocol

  #query(text: string, view: Uint8Array): void {
    this.#forgetCycle();
    const statement = this.#analysed('', text, []);
    if (statement instanceof GatewayFault) {
      this.#refuseUnknown(text, statement, true);
      return;
    }
    this.#understood(statement, true, (understanding) => {
      const run = (fields: readonly FieldDescription[] | undefined): void => {
        const asked: Asked = { text, understanding, parameters: [], binding: new Uint8Array(0), naming: false, prepared: false };
        this.#ask(asked, this.#strictRefusal(understanding, fields), true, (operation, grant) => {
          const started = this.#start(operation, grant, understanding);
          this.#talk.forward(view, grant);
          this.#talk.expected.push({ kind: 'query', running: started });
        });
      };
      if (understanding.needsFields && understanding.refusal === undefined) this.#probe(text, understanding, run);
      else run(undefined);
    });
  }

  // ---- extended protocol

  #parse(message: Parse, view: Uint8Array): void {
    const statement = this.#analysed(message.name, message.query, message.parameterTypes);
    if (statement instanceof GatewayFault) {
      this.#refuseUnknown(message.query, statement, false);
      return;
    }
    this.#understood(statement, false, (understanding) => {
      const asked: Asked = {
        text: message.query,
        understanding,
        parameters: [],
        binding: new Uint8Array(0),
        naming: true,
        prepared: false,
      };
      this.#ask(asked, undefined, false, () => {
        this.#pendingStatements.set(message.name, statement);
        this.#talk.expected.push({ kind: 'parse', statement });
        this.#talk.housekeep(view);
      });
    });
  }

  #bind(message: Bind, view: Uint8Array): void {
    const statement = this.#pendingStatements.get(message.statement) ?? this.#talk.names.statements.get(message.statement);
    if (statement === undefined) {
      this.#refuseUnknown('', unknownName('prepared statement', message.statement), false);
      return;
    }
    this.#understood(statement, false, (understanding) => {
      const proceed = (): void => {
        const asked: Asked = {
          text: statement.text,
          understanding,
          parameters: boundParameters(message, statement),
          binding: bindingBytes(view, message),
          naming: false,
          prepared: true,
        };
        const portal: Portal = { name: message.portal, statement, resultFormats: message.resultFormats, fields: undefined };
        this.#ask(asked, this.#strictRefusal(understanding, statement.fields ?? []), false, (operation, grant) => {
          this.#pendingPortals.set(message.portal, { portal, asked, running: this.#start(operation, grant, understanding) });
          this.#talk.expected.push({ kind: 'bind', portal });
          this.#talk.forward(view, grant);
        });
      };
      if (understanding.needsFields && statement.fields === undefined) this.#describeFirst(statement, proceed);
      else proceed();
    });
  }

  /** The first Execute in the cycle of its Bind runs what was decided there; any later one is decided anew. */
  #execute(name: string, view: Uint8Array): void {
    const bound = this.#pendingPortals.get(name);
    const portal = bound?.portal ?? this.#talk.names.portals.get(name);
    if (portal === undefined) {
      this.#refuseUnknown('', unknownName('portal', name), false);
      return;
    }
    if (bound?.running !== undefined) {
      const started = bound.running;
      bound.running = undefined;
      this.#run(portal, started, view);
      return;
    }
    this.#understood(portal.statement, false, (understanding) => {
      const again: Asked = {
        text: portal.statement.text,
        parameters: [],
        binding: new Uint8Array(0),
        naming: false,
        prepared: true,
        ...bound?.asked,
        understanding,
      };
      this.#ask(again, undefined, false, (operation, grant) => this.#run(portal, this.#start(operation, grant, understanding), view));
    });
  }

  #run(portal: Portal, started: Running, view: Uint8Array): void {
    if (portal.fields === undefined && portal.statement.fields === undefined && this.#mayMask(started.understanding)) {
      // Rows come without a description unless someone asks for it: then the gateway does.
      this.#talk.expected.push({ kind: 'describe-portal', portal, hidden: true });
      this.#talk.forward(encode.describe('P', portal.name), started.grant);
    }
    this.#talk.expected.push({ kind: 'execute', running: started, portal });
    this.#talk.forward(view, started.grant);
  }

  #describe(what: 'S' | 'P', name: string, view: Uint8Array): void {
    if (what === 'S') {
      const statement = this.#pendingStatements.get(name) ?? this.#talk.names.statements.get(name);
      if (statement === undefined) this.#refuseUnknown('', unknownName('prepared statement', name), false);
      else {
        this.#talk.expected.push({ kind: 'describe-statement', statement, hidden: false });
        this.#talk.housekeep(view);
      }
      return;
    }
    const portal = this.#pendingPortals.get(name)?.portal ?? this.#talk.names.portals.get(name);
    if (portal === undefined) this.#refuseUnknown('', unknownName('portal', name), false);
    else {
      this.#talk.expected.push({ kind: 'describe-portal', portal, hidden: false });
      this.#talk.housekeep(view);
    }
  }

  #close(what: 'S' | 'P', name: string): void {
    if (what === 'S') {
      this.#pendingStatements.delete(name);
      return;
    }
    const started = this.#pendingPortals.get(name)?.running;
    if (started !== undefined) this.#talk.complete(started, 'cancelled');
    this.#pendingPortals.delete(name);
  }

  #sync(view: Uint8Array): void {
    this.#talk.skipping = false;
    this.#forgetCycle();
    this.#talk.expected.push({ kind: 'sync' });
    this.#talk.housekeep(view);
  }

  /** What was granted for a portal that was not executed in its own cycle ends here; a later Execute is decided anew. */
  #forgetCycle(): void {
    for (const bound of this.#pendingPortals.values()) {
      if (bound.running !== undefined) this.#talk.complete(bound.running, 'cancelled');
      bound.running = undefined;
    }
  }

  /** The server confirmed a name, or will never: from now on only what `Names` says counts. */
  settled(entry: Expected): void {
    if (entry.kind === 'parse' && this.#pendingStatements.get(entry.statement.name) === entry.statement) {
      this.#pendingStatements.delete(entry.statement.name);
    } else if (entry.kind === 'bind' && this.#pendingPortals.get(entry.portal.name)?.portal === entry.portal) {
      this.#unexecuted(entry.portal.name);
    }
  }

  /** A confirmed portal that still waits for its Execute keeps what was granted for it until the cycle ends. */
  #unexecuted(name: string): void {
    if (this.#pendingPortals.get(name)?.running === undefined) this.#pendingPortals.delete(name);
  }

  // ---- copy in

  #copyEnd(message: ClientMessage, view: Uint8Array): void {
    const copying = this.#talk.copying!;
    switch (message.kind) {
      case 'CopyDone':
      case 'CopyFail':
        this.#talk.forward(view, copying.running.grant);
        this.#talk.copying = undefined;
        return;
      case 'Flush':
      case 'Sync':
        // "The backend ignores Flush and Sync during copy-in": there will be no answer.
        this.#talk.forward(view, copying.running.grant);
        return;
      default:
        throw new GatewayFault('protocol-violation', { publicMessage: `${message.kind} is not allowed while data is copied in` });
    }
  }

  // ---- asking

  /** Analysis and understanding, or the refusal that takes the statement's place. */
  #understood(statement: PreparedStatement, simple: boolean, then: (understanding: Understanding) => void): void {
    let understanding: Understanding;
    try {
      understanding = this.#talk.understand(statement);
    } catch (error) {
      this.#refuseUnknown(statement.text, toFault(error), simple);
      return;
    }
    then(understanding);
  }

  #analysed(name: string, text: string, parameterTypes: readonly number[]): PreparedStatement | GatewayFault {
    try {
      return { name, text, analysis: this.#talk.environment.analyse(text), parameterTypes, fields: undefined, understood: undefined };
    } catch (error) {
      return toFault(error);
    }
  }

  #refuseUnknown(text: string, fault: GatewayFault, simple: boolean): void {
    const asked: Asked = { text, understanding: undefined, parameters: [], binding: new Uint8Array(0), naming: false, prepared: false };
    this.#ask(asked, fault, simple, () => {
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'a refused operation was granted' });
    });
  }

  #ask(
    asked: Asked,
    refusal: GatewayFault | undefined,
    simple: boolean,
    granted: (operation: Operation, grant: Running['grant']) => void,
  ): void {
    const operation = postgresOperation(this.#talk.session, this.#talk.sight().masks, asked);
    this.#talk.out.push({ kind: 'ask', operation, refusal: refusal ?? asked.understanding?.refusal });
    this.#awaiting = {
      operationId: operation.id,
      resume: (outcome) => {
        if (outcome.kind === 'granted') granted(operation, outcome.grant);
        else this.#refuse(operation.id, outcome.fault, simple);
      },
    };
  }

  #start(operation: Operation, grant: Running['grant'], understanding: Understanding): Running {
    this.#talk.lastGrant = grant;
    return running(operation.id, grant, understanding);
  }

  /** In place of what was refused goes a statement that no server accepts; its error becomes the refusal. */
  #refuse(operationId: string, fault: GatewayFault, simple: boolean): void {
    this.#talk.expected.push({ kind: 'refused', fault, operationId, simple });
    const mustFail = `REFUSED BY SALLYPORT ${operationId}`;
    if (simple) this.#talk.housekeep(encode.query(mustFail));
    else {
      this.#talk.skipping = true;
      this.#talk.housekeep(encode.parse({ name: mustFail, query: mustFail, parameterTypes: [] }));
      this.#talk.housekeep(encode.emptyClientMessage('Flush'));
    }
  }

  // ---- masking: strict

  #strictRefusal(understanding: Understanding, fields: readonly FieldDescription[] | undefined): GatewayFault | undefined {
    if (!understanding.needsFields || understanding.refusal !== undefined) return undefined;
    return planColumns(this.#talk.sight().masks, understanding.maskFacts, resultFields(fields ?? [])).refusal;
  }

  /** Asks the server which columns the statement would return, before any of it runs. */
  #probe(text: string, understanding: Understanding, then: (fields: readonly FieldDescription[] | undefined) => void): void {
    if (understanding.statements.length !== 1 || this.#talk.transaction === 'E') {
      then(undefined);
      return;
    }
    this.#await(then);
    this.#talk.housekeep(encode.parse({ name: probeName, query: text, parameterTypes: [] }));
    this.#talk.housekeep(encode.describe('S', probeName));
    this.#talk.housekeep(encode.close('S', probeName));
    this.#talk.housekeep(encode.emptyClientMessage('Sync'));
  }

  #await(then: (fields: readonly FieldDescription[] | undefined) => void): void {
    this.#probing = true;
    this.#talk.expected.push({
      kind: 'probe',
      fields: undefined,
      done: (fields) => {
        this.#probing = false;
        then(fields);
        this.pump();
      },
    });
  }

  #describeFirst(statement: PreparedStatement, then: () => void): void {
    this.#probing = true;
    const resume = (): void => {
      this.#probing = false;
      then();
      this.pump();
    };
    this.#talk.expected.push({ kind: 'describe-statement', statement, hidden: true });
    this.#described.set(statement, resume);
    this.#talk.housekeep(encode.describe('S', statement.name));
    this.#talk.housekeep(encode.emptyClientMessage('Flush'));
  }

  readonly #described = new Map<PreparedStatement, () => void>();

  /** The server described (or failed to describe) a statement that a Bind waits for. */
  described(statement: PreparedStatement): void {
    const resume = this.#described.get(statement);
    this.#described.delete(statement);
    resume?.();
  }

  /** An error ended the cycle: whatever waited for a description goes no further. */
  cycleFailed(): void {
    this.#described.clear();
    this.#probing = false;
  }

  #mayMask(understanding: Understanding): boolean {
    const { masks } = this.#talk.sight();
    return masks.hidden.length > 0 || !masks.detectors.isEmpty || understanding.statements.some((statement) => statement.returnsRows);
  }
}

function unknownName(what: string, name: string): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: `${what} "${name}" is not known in this session`,
    hint: 'Prepare it through the gateway in this session first.',
  });
}

function boundParameters(message: Bind, statement: PreparedStatement): readonly BoundParameter[] {
  const { parameterFormats, parameters } = message;
  return parameters.map((bytes, index) => ({
    bytes,
    format: (parameterFormats.length === 1 ? parameterFormats[0] : parameterFormats[index]) ?? 0,
    typeOid: statement.parameterTypes[index] ?? 0,
  }));
}

/** Bind without its two names, which drivers make up anew for each run: parameter formats, parameters, result formats. */
function bindingBytes(view: Uint8Array, message: Bind): Uint8Array {
  const names = encoder.encode(message.portal).length + encoder.encode(message.statement).length + 2;
  return view.subarray(HEADER_BYTES + names);
}

const encoder = new TextEncoder();
const probeName = 'sallyport_probe';

const small = LIMIT_BYTES.small;
const readyTable = tagTable({
  expecting: 'a message after sign-in',
  open: [
    [CLIENT_TAG.Query, LIMIT_BYTES.query],
    [CLIENT_TAG.Parse, LIMIT_BYTES.query],
    [CLIENT_TAG.Bind, LIMIT_BYTES.bind],
    [CLIENT_TAG.Execute, small],
    [CLIENT_TAG.Describe, small],
    [CLIENT_TAG.Close, small],
    [CLIENT_TAG.Flush, small],
    [CLIENT_TAG.Sync, small],
    [CLIENT_TAG.Terminate, small],
    [CLIENT_TAG.FunctionCall, LIMIT_BYTES.bind],
    [CLIENT_TAG.CopyData, LIMIT_BYTES.bind],
    [CLIENT_TAG.CopyDone, small],
    [CLIENT_TAG.CopyFail, LIMIT_BYTES.copyFail],
  ],
});
const copyTable = tagTable({
  expecting: 'copy data',
  forward: [CLIENT_TAG.CopyData],
  open: [
    [CLIENT_TAG.CopyDone, small],
    [CLIENT_TAG.CopyFail, LIMIT_BYTES.copyFail],
    [CLIENT_TAG.Flush, small],
    [CLIENT_TAG.Sync, small],
    [CLIENT_TAG.Terminate, small],
    [CLIENT_TAG.Query, LIMIT_BYTES.query],
    [CLIENT_TAG.Parse, LIMIT_BYTES.query],
    [CLIENT_TAG.Bind, LIMIT_BYTES.bind],
    [CLIENT_TAG.Execute, small],
    [CLIENT_TAG.Describe, small],
    [CLIENT_TAG.Close, small],
  ],
});

import type { Outcome } from '../../core/effect.ts';
import { GatewayFault, toFault } from '../../core/fault.ts';
import type { Operation } from '../../core/operation.ts';
import type { Conversation } from './conversation.ts';
import { resultFields } from './conversation.ts';
import { Cycle } from './cycle.ts';
import { decodeClient } from './decode.ts';
import * as encode from './encode.ts';
import { running, type Expected, type Running } from './expected.ts';
import { tagTable } from './frame.ts';
import { planColumns, type BoundParameter } from './mask.ts';
import {
  CLIENT_TAG,
  HEADER_BYTES,
  LIMIT_BYTES,
  type Bind,
  type ClientMessage,
  type FieldDescription,
  type NameSpace,
  type Parse,
} from './messages.ts';
import { postgresOperation, type Asked } from './operation.ts';
import { describedFields, runsByName, type Portal, type PreparedStatement } from './names.ts';
import type { Understanding } from './understanding.ts';

/**
 * The client's direction of a ready session. Each statement is asked for before it goes; while an answer is awaited nothing further of
 * the client is read. A refused statement is replaced by one that must fail, so that the server itself puts the refusal in its place
 * among the answers and into the transaction's state (traps 1 and 5).
 */
export class ClientRelay {
  readonly #talk: Conversation;
  #awaiting: { readonly operationId: string; readonly resume: (outcome: Outcome) => void } | undefined;
  readonly #cycle: Cycle;
  /** A message that cannot be judged before earlier answers came: its bytes, and when it can. */
  #waiting: { readonly tag: number; readonly bytes: Uint8Array; readonly until: () => boolean } | undefined;
  /** The gateway's own question to the server which the message at hand waits for. */
  #asking: { readonly entry: Expected; readonly resume: (answered: boolean) => void } | undefined;
  #terminated = false;
  /** Something of the extended protocol was forwarded and not yet followed by a Sync. */
  #cycleIsOpen = false;

  constructor(talk: Conversation) {
    this.#talk = talk;
    this.#cycle = new Cycle(talk.names, talk.expected);
  }

  pump(): void {
    const { clientFramer } = this.#talk;
    while (this.#awaiting === undefined && this.#asking === undefined && !this.#terminated && !this.#talk.paused) {
      const copyIn = this.#talk.copying?.direction === 'in';
      if (this.#waiting !== undefined) {
        if (!copyIn && !this.#waiting.until()) return;
        const { tag, bytes } = this.#waiting;
        this.#waiting = undefined;
        this.#message(decodeClient(tag, bytes.subarray(HEADER_BYTES)), bytes, copyIn);
        continue;
      }
      const found = clientFramer.next(copyIn ? copyTable : readyTable);
      if (found === undefined) return;
      // The rest of a long CopyData whose copy has failed meanwhile still belongs to the message that has begun.
      if (found === 'run') this.#talk.forward(clientFramer.view(), this.#talk.copying?.running.grant ?? this.#talk.session.grant);
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
      this.#terminated = true;
      this.#talk.housekeep(view);
      this.#talk.out.push({ kind: 'close', fault: undefined });
      return;
    }
    if (copyIn) this.#copyEnd(message, view);
    else if (this.#talk.skipping && message.kind !== 'Sync') return;
    else this.#ready(message, view);
  }

  #ready(message: ClientMessage, view: Uint8Array): void {
    checkNames(message);
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
        this.#close(message.what, message.name, view);
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
        // The server ignores them outside a copy ("COPY Operations" in the manual); a client may still be sending when a copy fails, or
        // send without waiting for the copy to begin.
        if (this.#talk.expected.mayCopyIn) this.#wait(view, () => !this.#talk.expected.mayCopyIn);
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
    const statement = this.#analysed('', text, []);
    if (statement instanceof GatewayFault) {
      this.#forgetCycle();
      this.#refuseUnknown(text, statement, true);
      return;
    }
    if (!this.#hasMeaning(statement, view)) return;
    this.#forgetCycle();
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
    if (!this.#hasMeaning(statement, view)) return;
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
        this.#cycle.prepare(statement);
        this.#extended({ kind: 'parse', statement }, view, this.#talk.session.grant);
      });
    });
  }

  #bind(message: Bind, view: Uint8Array): void {
    if (!this.#cycle.statementIsCertain(message.statement)) {
      this.#wait(view, () => this.#cycle.statementIsCertain(message.statement));
      return;
    }
    const statement = this.#cycle.statement(message.statement);
    if (statement === undefined) {
      this.#refuseUnknown('', unknownName('prepared statement', message.statement), false);
      return;
    }
    if (!this.#hasMeaning(statement, view)) return;
    this.#understood(statement, false, (understanding) => {
      const proceed = (): void => {
        const asked: Asked = {
          text: statement.text,
          understanding,
          parameters: boundParameters(message, statement),
          binding: bindingBytes(view),
          naming: false,
          prepared: true,
        };
        const portal: Portal = {
          name: message.portal,
          statement,
          asked: kept(asked),
          resultFormats: message.resultFormats,
          fields: undefined,
          started: false,
        };
        this.#ask(asked, this.#strictRefusal(understanding, statement.fields ?? undefined), false, (operation, grant) => {
          this.#unused(this.#cycle.bind(portal, this.#start(operation, grant, understanding)));
          this.#extended({ kind: 'bind', portal }, view, grant);
        });
      };
      if (understanding.needsFields && (statement.byName || statement.fields === undefined)) this.#describeFirst(statement, proceed);
      else proceed();
    });
  }

  /** The first Execute in the cycle of its Bind runs what was decided there; any later one is decided anew. */
  #execute(name: string, view: Uint8Array): void {
    if (!this.#cycle.portalIsCertain(name)) {
      this.#wait(view, () => this.#cycle.portalIsCertain(name));
      return;
    }
    const portal = this.#cycle.portal(name);
    if (portal === undefined) {
      this.#refuseUnknown('', unknownName('portal', name), false);
      return;
    }
    if (portal.started && portal.statement.byName) {
      this.#refuseUnknown(portal.statement.text, unknownRest(), false);
      return;
    }
    if (!this.#hasMeaning(portal.statement, view)) return;
    const granted = this.#cycle.take(portal);
    if (granted !== undefined) {
      this.#run(portal, granted, view);
      return;
    }
    this.#understood(portal.statement, false, (understanding) => {
      const again: Asked = {
        text: portal.statement.text,
        parameters: [],
        binding: new Uint8Array(0),
        naming: false,
        prepared: true,
        ...portal.asked,
        understanding,
      };
      const refusal = this.#strictRefusal(understanding, describedFields(portal) ?? undefined);
      this.#ask(again, refusal, false, (operation, grant) => this.#run(portal, this.#start(operation, grant, understanding), view));
    });
  }

  #run(portal: Portal, started: Running, view: Uint8Array): void {
    if (!this.#cycle.willBeDescribed(portal) && this.#mayMask(started.understanding)) {
      // Rows come without a description unless someone asks for it: then the gateway does.
      this.#extended({ kind: 'describe-portal', portal, hidden: true }, encode.describe('P', portal.name), started.grant);
    }
    portal.started = true;
    this.#extended({ kind: 'execute', running: started, portal }, view, started.grant);
  }

  #describe(what: NameSpace, name: string, view: Uint8Array): void {
    const { grant } = this.#talk.session;
    if (what === 'S') {
      if (!this.#cycle.statementIsCertain(name)) {
        this.#wait(view, () => this.#cycle.statementIsCertain(name));
        return;
      }
      const statement = this.#cycle.statement(name);
      if (statement === undefined) this.#refuseUnknown('', unknownName('prepared statement', name), false);
      else this.#extended({ kind: 'describe-statement', statement, hidden: false }, view, grant);
      return;
    }
    if (!this.#cycle.portalIsCertain(name)) {
      this.#wait(view, () => this.#cycle.portalIsCertain(name));
      return;
    }
    const portal = this.#cycle.portal(name);
    if (portal === undefined) this.#refuseUnknown('', unknownName('portal', name), false);
    else this.#extended({ kind: 'describe-portal', portal, hidden: false }, view, grant);
  }

  #close(what: NameSpace, name: string, view: Uint8Array): void {
    this.#unused(this.#cycle.close(what, name));
    this.#extended({ kind: 'close', what, name }, view, this.#talk.session.grant);
  }

  #sync(view: Uint8Array): void {
    this.#talk.skipping = false;
    this.#forgetCycle();
    this.#cycleIsOpen = false;
    this.#talk.expected.push({ kind: 'sync' });
    this.#talk.housekeep(view);
  }

  #extended(entry: Expected, bytes: Uint8Array, grant: Running['grant']): void {
    this.#cycleIsOpen = true;
    if (entry.kind === 'describe-portal') this.#cycle.describe(entry.portal);
    if (entry.kind === 'describe-statement') this.#cycle.describe(entry.statement);
    this.#talk.expected.push(entry);
    this.#talk.forward(bytes, grant);
  }

  #forgetCycle(): void {
    for (const unused of this.#cycle.end()) this.#unused(unused);
  }

  /** It was granted and is not going to run. */
  #unused(granted: Running | undefined): void {
    if (granted !== undefined) this.#talk.complete(granted, 'cancelled');
  }

  /** The server answered what the gateway asked on its own, or will never. */
  settled(entry: Expected, answered: boolean): void {
    if (this.#asking?.entry !== entry) return;
    const { resume } = this.#asking;
    this.#asking = undefined;
    resume(answered);
  }

  // ---- waiting for earlier answers

  /** False where the message has to wait: which statement EXECUTE or FETCH runs is only certain once earlier answers came. */
  #hasMeaning(statement: PreparedStatement, view: Uint8Array): boolean {
    const { statements } = statement.analysis;
    if (this.#cycle.meaningIsCertain(statements)) return true;
    this.#wait(view, () => this.#cycle.meaningIsCertain(statements));
    return false;
  }

  /** Flush, because the server may keep its answers back until the client's Sync, which is behind this message. */
  #wait(view: Uint8Array, until: () => boolean): void {
    this.#waiting = { tag: view[0]!, bytes: view.slice(), until };
    this.#talk.housekeep(encode.emptyClientMessage('Flush'));
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
      case 'CopyData':
        this.#talk.forward(view, copying.running.grant);
        return;
      case 'Flush':
      case 'Sync':
        // "The backend ignores Flush and Sync during copy-in": there will be no answer, unless the copy has failed by now.
        if (message.kind === 'Sync') this.#talk.ignoredSyncs += 1;
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
      const analysis = this.#talk.environment.analyse(text);
      return { name, text, analysis, parameterTypes, byName: runsByName(analysis.statements), fields: undefined };
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
        if (this.#talk.skipping) this.#overtaken(operation, outcome, asked);
        else if (outcome.kind === 'granted') granted(operation, outcome.grant);
        else this.#refuse(operation.id, outcome.fault, simple);
      },
    };
  }

  /** While the answer was awaited an earlier statement of the cycle failed: the server passes over this one, so it is not sent. */
  #overtaken(operation: Operation, outcome: Outcome, asked: Asked): void {
    if (outcome.kind !== 'granted' || asked.naming || asked.understanding === undefined) return;
    this.#talk.complete(running(operation.id, outcome.grant, asked.understanding), 'cancelled');
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

  /** `fields` undefined: not known, so that nothing hidden may be in reach under no name. */
  #strictRefusal(understanding: Understanding, fields: readonly FieldDescription[] | undefined): GatewayFault | undefined {
    if (!understanding.needsFields || understanding.refusal !== undefined) return undefined;
    if (fields === undefined && understanding.maskFacts.mentionsAll && returnsRows(understanding)) return unknownColumns();
    return planColumns(this.#talk.sight().masks, understanding.maskFacts, resultFields(fields ?? [])).refusal;
  }

  /** Asks the server which columns the statement would return, before any of it runs. Not where the question's Sync would end more than itself. */
  #probe(text: string, understanding: Understanding, then: (fields: readonly FieldDescription[] | undefined) => void): void {
    if (understanding.statements.length !== 1 || this.#cycleIsOpen) {
      then(undefined);
      return;
    }
    const entry: Expected & { kind: 'probe' } = { kind: 'probe', fields: undefined };
    this.#question(entry, () => then(entry.fields));
    this.#talk.housekeep(encode.parse({ name: probeName, query: text, parameterTypes: [] }));
    this.#talk.housekeep(encode.describe('S', probeName));
    this.#talk.housekeep(encode.close('S', probeName));
    this.#talk.housekeep(encode.emptyClientMessage('Sync'));
  }

  #describeFirst(statement: PreparedStatement, then: () => void): void {
    // Where the cycle fails before the answer comes, the server passes over what waits for it.
    this.#question({ kind: 'describe-statement', statement, hidden: true }, (answered) => {
      if (answered) then();
    });
    this.#cycleIsOpen = true;
    this.#talk.housekeep(encode.describe('S', statement.name));
    this.#talk.housekeep(encode.emptyClientMessage('Flush'));
  }

  #question(entry: Expected, resume: (answered: boolean) => void): void {
    this.#talk.expected.push(entry);
    this.#asking = { entry, resume };
  }

  #mayMask(understanding: Understanding): boolean {
    const { masks } = this.#talk.sight();
    return masks.hidden.length > 0 || !masks.detectors.isEmpty || returnsRows(understanding);
  }
}

function returnsRows(understanding: Understanding): boolean {
  return understanding.statements.some((statement) => statement.returnsRows);
}

function unknownColumns(): GatewayFault {
  return new GatewayFault('masking-refused', {
    publicMessage: 'masking is strict on this target: which columns this would show cannot be found out before it runs',
    hint: 'Send one statement at a time, and name the columns that you need.',
  });
}

/** The server cuts longer names silently (`NAMEDATALEN`), so that two of ours could be one of its. */
function checkNames(message: ClientMessage): void {
  const names =
    message.kind === 'Bind'
      ? [message.portal, message.statement]
      : message.kind === 'Execute'
        ? [message.portal]
        : message.kind === 'Parse' || message.kind === 'Describe' || message.kind === 'Close'
          ? [message.name]
          : [];
  for (const name of names) {
    if (name.length * 3 <= maxNameBytes || encoder.encode(name).length <= maxNameBytes) continue;
    throw new GatewayFault('limit-exceeded', { publicMessage: `names of statements and portals have at most ${maxNameBytes} bytes` });
  }
}

/** In bytes of its own: views of what the client sent die. */
function kept(asked: Asked): Asked {
  const parameters = asked.parameters.map((parameter) => ({ ...parameter, bytes: parameter.bytes?.slice() ?? null }));
  return { ...asked, parameters, binding: asked.binding.slice() };
}

function unknownRest(): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: 'the rest of what EXECUTE or FETCH returned is not known to be what its name means now',
    hint: 'Fetch all rows at once, or bind the prepared statement itself.',
  });
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
function bindingBytes(view: Uint8Array): Uint8Array {
  const portalEnd = view.indexOf(0, HEADER_BYTES);
  return view.subarray(view.indexOf(0, portalEnd + 1) + 1);
}

const encoder = new TextEncoder();
const probeName = 'sallyport_probe';
/** NAMEDATALEN - 1. */
const maxNameBytes = 63;

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

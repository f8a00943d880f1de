import type { Outcome } from '../../core/effect.ts';
import { GatewayFault, toFault } from '../../core/fault.ts';
import type { Conversation } from './conversation.ts';
import { Cycle } from './cycle.ts';
import { decodeClient } from './decode.ts';
import { EarlierAnswers } from './earlier-answers.ts';
import * as encode from './encode.ts';
import type { Expected, Running } from './expected.ts';
import { HEADER_BYTES, type Bind, type ClientMessage, type FieldDescription, type NameSpace, type Parse } from './messages.ts';
import type { Asked } from './operation.ts';
import { describedFields, type Portal, type PreparedStatement, type SourceText } from './names.ts';
import { bindingBytes, boundParameters, checkNames, kept } from './client-parts.ts';
import { copyTable, readyTable } from './client-tables.ts';
import { constantRefusal, refused, shadowRefusal, type LookupParameters } from './lookup.ts';
import { bindValues } from './lookup-bind.ts';
import { boundQuery } from './lookup-text.ts';
import { SecondDoor } from './second-door.ts';
import type { Understanding } from './understanding.ts';
import { unknownName } from './unknown-name.ts';

/**
 * The client's direction of a ready session. Each statement is asked for before it goes; while an answer is awaited nothing further of
 * the client is read. A refused statement is replaced by one that must fail, so that the server itself puts the refusal in its place
 * among the answers and into the transaction's state (traps 1 and 5).
 */
export class ClientRelay {
  readonly #talk: Conversation;
  readonly #door: SecondDoor;
  readonly #cycle: Cycle;
  readonly #earlier: EarlierAnswers;
  #terminated = false;
  /** What becomes of the statement that waits for `paused` to end. */
  #resumption: (() => void) | undefined;

  constructor(talk: Conversation) {
    this.#talk = talk;
    this.#cycle = new Cycle(talk.names, talk.expected);
    this.#door = new SecondDoor(talk);
    this.#earlier = new EarlierAnswers(talk, this.#cycle, this.#door);
  }

  pump(): void {
    const { clientFramer } = this.#talk;
    while (!this.#door.isWaiting && !this.#terminated && !this.#talk.paused && !this.#talk.stopping.isActive) {
      if (clientFramer.unreadBytes > 0 && this.#talk.waitsForOthers()) return;
      const copyIn = this.#talk.copying?.direction === 'in';
      if (this.#earlier.areAwaited) {
        const bytes = this.#earlier.take(copyIn);
        if (bytes === undefined) return;
        this.#message(decodeClient(bytes[0]!, bytes, HEADER_BYTES), bytes, copyIn);
        continue;
      }
      const found = clientFramer.next(copyIn ? copyTable : readyTable);
      if (found === undefined) return;
      // The rest of a long CopyData whose copy has failed meanwhile still belongs to the message that has begun.
      if (found === 'run') this.#talk.forward(clientFramer.view(), this.#talk.copying?.running.grant ?? this.#talk.session.grant);
      else {
        const { tag, bytes, start, end } = clientFramer;
        this.#message(decodeClient(tag, bytes, start + HEADER_BYTES, end), bytes.subarray(start, end), copyIn);
      }
    }
  }

  decided(operationId: string, outcome: Outcome): void {
    this.#door.decided(operationId, outcome);
    this.pump();
  }

  /** The server answered what the gateway asked on its own, or will never. */
  settled(entry: Expected, answered: boolean): void {
    this.#door.settled(entry, answered);
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
    if (this.#earlier.waitsForLimits(message, view)) return;
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
        this.#earlier.waitsForCopy(view);
        return;
      case 'FunctionCall':
        this.#forgetCycle();
        this.#door.refuseUnknown('', functionCall(), true);
        return;
      case 'Terminate':
        return;
    }
  }

  // ---- simple protocol

  #query(text: string, view: Uint8Array): void {
    if (!this.#isRead(text, view, true)) return;
    const statement = this.#door.analysed('', text, []);
    if (statement instanceof GatewayFault) {
      this.#forgetCycle();
      this.#door.refuseUnknown(text, statement, true);
      return;
    }
    if (this.#earlier.waitsForMeaning(statement, view)) return;
    this.#forgetCycle();
    this.#door.understood(statement, true, (understanding) => {
      const run = (fields: readonly FieldDescription[] | undefined): void => {
        const asked: Asked = {
          text,
          behind: this.#behind(statement),
          understanding,
          parameters: [],
          binding: new Uint8Array(0),
          naming: false,
          prepared: false,
        };
        const bound = this.#boundQuery(text, understanding);
        const refusal = bound instanceof GatewayFault ? bound : this.#door.strictRefusal(understanding, fields);
        this.#door.ask(asked, refusal, true, (operation, grant) => {
          const started = this.#door.start(operation, grant, understanding);
          this.#announced(started, view, true, (own) => {
            if (bound === undefined || bound instanceof GatewayFault)
              this.#talk.forward(this.#restated(understanding) ? encode.query('') : own, grant);
            else for (const bytes of bound) this.#talk.forward(bytes, grant);
            this.#talk.expected.push({ kind: 'query', running: started, bound: Array.isArray(bound) });
          });
        });
      };
      if (understanding.needsFields && understanding.refusal === undefined) this.#door.probe(text, understanding, run);
      else run(undefined);
    });
  }

  /** What goes in place of a Query in whose text pseudonyms stand; undefined where it goes as it came. */
  #boundQuery(text: string, { lookups, refusal, statements }: Understanding): readonly Uint8Array[] | GatewayFault | undefined {
    if (lookups === undefined || lookups.constants.length === 0 || refusal !== undefined) return undefined;
    if (this.#door.cycleIsOpen) return insideCycle(lookups);
    return shadowRefusal(lookups, statements, this.#talk.shadowed) ?? boundQuery(text, lookups, this.#talk.sight().masks.classes);
  }

  // ---- extended protocol

  #parse(message: Parse, view: Uint8Array): void {
    if (!this.#isRead(message.query, view, false)) return;
    const statement = this.#door.analysed(message.name, message.query, message.parameterTypes);
    if (statement instanceof GatewayFault) {
      this.#door.refuseUnknown(message.query, statement, false);
      return;
    }
    if (this.#earlier.waitsForMeaning(statement, view)) return;
    this.#door.understood(statement, false, (understanding) => {
      const asked: Asked = {
        text: message.query,
        understanding,
        parameters: [],
        binding: new Uint8Array(0),
        naming: true,
        prepared: false,
      };
      this.#door.ask(asked, constantRefusal(understanding.lookups, message.query), false, () => {
        this.#cycle.prepare(statement);
        const { name, parameterTypes } = message;
        const bytes = understanding.reasonChange === undefined ? view : encode.parse({ name, query: '', parameterTypes });
        this.#extended({ kind: 'parse', statement }, bytes, this.#talk.session.grant);
      });
    });
  }

  #bind(message: Bind, view: Uint8Array): void {
    if (this.#earlier.waitsForStatement(message.statement, view)) return;
    const statement = this.#cycle.statement(message.statement);
    if (statement === undefined) {
      this.#door.refuseUnknown('', this.#unknown('S', message.statement), false);
      return;
    }
    if (this.#earlier.waitsForMeaning(statement, view)) return;
    this.#door.understood(statement, false, (understanding) => {
      const proceed = (): void => {
        const asked: Asked = {
          text: statement.text,
          recorded: statement.recorded,
          behind: this.#behind(statement),
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
          looksUp: understanding.lookups !== undefined,
        };
        const bytes = this.#boundValues(message, statement, understanding) ?? view;
        const refusal = bytes instanceof GatewayFault ? bytes : this.#door.strictRefusal(understanding, statement.fields ?? undefined);
        this.#door.ask(asked, refusal, false, (operation, grant) => {
          this.#unused(this.#cycle.bind(portal, this.#door.start(operation, grant, understanding)));
          this.#extended({ kind: 'bind', portal }, bytes instanceof GatewayFault ? view : bytes, grant);
        });
      };
      if (understanding.needsFields && (statement.byName || statement.fields === undefined)) this.#door.describeFirst(statement, proceed);
      else proceed();
    });
  }

  /** The Bind with values in place of pseudonyms; undefined where it goes as it came. */
  #boundValues(
    message: Bind,
    { text, bySql, parameterTypes }: PreparedStatement,
    { lookups, refusal, statements }: Understanding,
  ): Uint8Array | GatewayFault | undefined {
    if (lookups === undefined || refusal !== undefined) return undefined;
    const refusedHere =
      constantRefusal(lookups, bySql === true ? undefined : text) ?? shadowRefusal(lookups, statements, this.#talk.shadowed);
    return refusedHere ?? bindValues(message, parameterTypes, lookups, this.#talk.sight().masks.classes);
  }

  /** The first Execute in the cycle of its Bind runs what was decided there; any later one is decided anew. */
  #execute(name: string, view: Uint8Array): void {
    if (this.#earlier.waitsForPortal(name, view)) return;
    const portal = this.#cycle.portal(name);
    if (portal === undefined) {
      this.#door.refuseUnknown('', this.#unknown('P', name), false);
      return;
    }
    if (portal.started && portal.statement.byName) {
      this.#door.refuseUnknown(portal.statement.text, unknownRest(), false);
      return;
    }
    if (this.#earlier.waitsForMeaning(portal.statement, view)) return;
    if (this.#earlier.waitsToChange(portal.statement, view)) return;
    const granted = this.#cycle.take(portal);
    if (granted !== undefined) {
      this.#run(portal, granted, view);
      return;
    }
    this.#door.understood(portal.statement, false, (understanding) => {
      const again: Asked = {
        text: portal.statement.text,
        recorded: portal.statement.recorded,
        parameters: [],
        binding: new Uint8Array(0),
        naming: false,
        prepared: true,
        ...portal.asked,
        behind: this.#behind(portal.statement),
        understanding,
      };
      const refusal = this.#door.strictRefusal(understanding, describedFields(portal) ?? undefined);
      this.#door.ask(again, refusal, false, (operation, grant) =>
        this.#run(portal, this.#door.start(operation, grant, understanding), view),
      );
    });
  }

  #run(portal: Portal, started: Running, view: Uint8Array): void {
    this.#announced(started, view, false, (own) => this.#send(portal, started, own));
  }

  #send(portal: Portal, started: Running, view: Uint8Array): void {
    if (!this.#cycle.willBeDescribed(portal) && this.#door.mayMask(started.understanding)) {
      // Rows come without a description unless someone asks for it: then the gateway does.
      this.#extended({ kind: 'describe-portal', portal, hidden: true }, encode.describe('P', portal.name), started.grant);
    }
    portal.started = true;
    if (started.allowance !== undefined && portal.shown !== undefined) {
      const { limits, rows, bytes } = started.allowance;
      started.allowance = { limits, rows: rows - portal.shown.rows, bytes: bytes - portal.shown.bytes };
    }
    // What is timed must be seen to end, though the server keeps answers back up to Sync.
    if (this.#talk.expected.running > 0 && this.#talk.session.limits.inForce.statementTimeoutMs !== undefined)
      this.#talk.housekeep(encode.emptyClientMessage('Flush'));
    this.#restated(started.understanding);
    this.#extended({ kind: 'execute', running: started, portal }, view, started.grant);
  }

  /** What others may see by it, they know of before it goes. */
  #announced(started: Running, view: Uint8Array, simple: boolean, then: (view: Uint8Array) => void): void {
    const announced = this.#talk.defining.begin(started.understanding);
    if (announced === undefined) {
      then(view);
      return;
    }
    const own = view.slice();
    this.#talk.wait(
      announced.then(
        () => void (this.#resumption = () => this.#door.resumed(started, () => then(own))),
        (error: unknown) => void (this.#resumption = () => this.#door.withdrawn(started, toFault(error), simple)),
      ),
    );
  }

  /** What was waited for has come. */
  resumed(): void {
    if (this.#talk.paused) return;
    const resumption = this.#resumption;
    this.#resumption = undefined;
    resumption?.();
  }

  /** True where the statement states the session's reason: it holds from here on, and the target is not told. */
  #restated({ reasonChange }: Understanding): boolean {
    if (reasonChange !== undefined) this.#talk.reasons.change(reasonChange);
    return reasonChange !== undefined;
  }

  #describe(what: NameSpace, name: string, view: Uint8Array): void {
    const { grant } = this.#talk.session;
    if (what === 'S') {
      if (this.#earlier.waitsForStatement(name, view)) return;
      const statement = this.#cycle.statement(name);
      if (statement === undefined) this.#door.refuseUnknown('', this.#unknown('S', name), false);
      else this.#extended({ kind: 'describe-statement', statement, hidden: false }, view, grant);
      return;
    }
    if (this.#earlier.waitsForPortal(name, view)) return;
    const portal = this.#cycle.portal(name);
    if (portal === undefined) this.#door.refuseUnknown('', this.#unknown('P', name), false);
    else this.#extended({ kind: 'describe-portal', portal, hidden: false }, view, grant);
  }

  #close(what: NameSpace, name: string, view: Uint8Array): void {
    this.#unused(this.#cycle.close(what, name));
    this.#extended({ kind: 'close', what, name }, view, this.#talk.session.grant);
  }

  #sync(view: Uint8Array): void {
    this.#talk.skipping = false;
    this.#forgetCycle();
    this.#door.cycleIsOpen = false;
    this.#talk.expected.push({ kind: 'sync' });
    this.#talk.housekeep(view);
  }

  #extended(entry: Expected, bytes: Uint8Array, grant: Running['grant']): void {
    this.#door.cycleIsOpen = true;
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

  #behind({ byName, analysis }: PreparedStatement): readonly SourceText[] | undefined {
    return byName ? this.#talk.names.behind(analysis.statements) : undefined;
  }

  #unknown(what: NameSpace, name: string): GatewayFault {
    return unknownName(what === 'S' ? 'prepared statement' : 'portal', name, this.#talk.names.mayExist(what, name));
  }

  /** False where the message has to wait, or was refused: earlier code may have changed how the server will read the text. */
  #isRead(text: string, view: Uint8Array, simple: boolean): boolean {
    if (this.#earlier.waitsToBeRead(text, view)) return false;
    if (!this.#earlier.mustNotBeRead(text)) return true;
    if (simple) this.#forgetCycle();
    this.#door.refuseUnknown(text, mayReadOtherwise(), simple);
    return false;
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
}

function mayReadOtherwise(): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: 'code that the gateway cannot see ran in this cycle and may have changed how this text is read',
    hint: 'Send Sync and wait for its answer first, or write the text in ASCII without a backslash.',
  });
}

/** The Sync behind what would go in its place would end more than itself. */
function insideCycle({ constants }: LookupParameters): GatewayFault {
  return refused(constants, 'by a Query inside a cycle of the extended protocol', 'Send Sync first.');
}

/** It is answered like a Query: one error, one ReadyForQuery. */
function functionCall(): GatewayFault {
  return new GatewayFault('unsupported', {
    publicMessage: 'the function call message is refused',
    hint: 'Call the function in a SELECT.',
  });
}

function unknownRest(): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: 'the rest of what EXECUTE or FETCH returned is not known to be what its name means now',
    hint: 'Fetch all rows at once, or bind the prepared statement itself.',
  });
}

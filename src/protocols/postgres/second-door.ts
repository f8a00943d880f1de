import type { Outcome } from '../../core/effect.ts';
import { GatewayFault, toFault } from '../../core/fault.ts';
import type { Operation } from '../../core/operation.ts';
import { allowanceOf } from './allowance.ts';
import { resultFields, type Conversation } from './conversation.ts';
import * as encode from './encode.ts';
import { Running, type Expected, type Judged } from './expected.ts';
import { planColumns } from './mask.ts';
import type { FieldDescription } from './messages.ts';
import { runsByName, type PreparedStatement } from './names.ts';
import { postgresOperation, type Asked } from './operation.ts';
import { meansTheSame } from './same-meaning.ts';
import type { Understanding } from './understanding.ts';

/**
 * How a statement passes the second door, or is refused in its place: understood, asked for, and, under `masking: strict`, described by
 * the server before any of it runs. One thing at a time is waited for.
 */
export class SecondDoor {
  /** Something of the extended protocol was forwarded and not yet followed by a Sync. */
  cycleIsOpen = false;
  readonly #talk: Conversation;
  #awaiting: { readonly operationId: string; readonly resume: (outcome: Outcome) => void } | undefined;
  /** The statement that passes, and when it was judged. */
  #judged: Judged | undefined;
  /** The gateway's own question to the server which the message at hand waits for. */
  #asking: { readonly entry: Expected; readonly resume: (answered: boolean) => void } | undefined;

  constructor(talk: Conversation) {
    this.#talk = talk;
  }

  get isWaiting(): boolean {
    return this.#awaiting !== undefined || this.#asking !== undefined;
  }

  decided(operationId: string, outcome: Outcome): void {
    const awaiting = this.#awaiting;
    if (awaiting?.operationId !== operationId)
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'decision for another operation' });
    this.#awaiting = undefined;
    awaiting.resume(outcome);
  }

  /** The server answered what the gateway asked on its own, or will never. */
  settled(entry: Expected, answered: boolean): void {
    if (this.#asking?.entry !== entry) return;
    const { resume } = this.#asking;
    this.#asking = undefined;
    resume(answered);
  }

  /** Analysis and understanding, or the refusal that takes the statement's place. */
  understood(statement: PreparedStatement, simple: boolean, then: (understanding: Understanding) => void): void {
    let understanding: Understanding;
    const at = this.#talk.definitions.mark();
    try {
      understanding = this.#talk.understand(statement);
      this.#judged = { at, statement, sight: this.#talk.sight() };
    } catch (error) {
      this.refuseUnknown(statement.text, toFault(error), simple);
      return;
    }
    then(understanding);
  }

  analysed(name: string, text: string, parameterTypes: readonly number[]): PreparedStatement | GatewayFault {
    try {
      const analysis = this.#talk.environment.analyse(text);
      return { name, text, analysis, parameterTypes, byName: runsByName(analysis.statements), fields: undefined };
    } catch (error) {
      return toFault(error);
    }
  }

  refuseUnknown(text: string, fault: GatewayFault, simple: boolean): void {
    const asked: Asked = { text, understanding: undefined, parameters: [], binding: new Uint8Array(0), naming: false, prepared: false };
    this.ask(asked, fault, simple, () => {
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'a refused operation was granted' });
    });
  }

  ask(
    asked: Asked,
    refusal: GatewayFault | undefined,
    simple: boolean,
    granted: (operation: Operation, grant: Running['grant']) => void,
  ): void {
    const operation = postgresOperation(this.#talk.session, this.#talk.sight().masks, asked, this.#talk.reasons.of(asked.text));
    this.#talk.out.push({ kind: 'ask', operation, refusal: refusal ?? asked.understanding?.refusal });
    this.#awaiting = {
      operationId: operation.id,
      resume: (outcome) => {
        if (this.#talk.skipping) this.#overtaken(operation, outcome, asked);
        else if (outcome.kind === 'granted') this.#granted(operation, outcome.grant, asked, simple, granted);
        else this.#refuse(operation.id, outcome.fault, simple);
      },
    };
  }

  /** While the answer was awaited, others may have given its names another meaning than the one that was asked about. */
  #granted(
    operation: Operation,
    grant: Running['grant'],
    { naming, understanding }: Asked,
    simple: boolean,
    then: (operation: Operation, grant: Running['grant']) => void,
  ): void {
    const judged = this.#judged;
    const at = this.#talk.definitions.mark();
    if (naming || understanding === undefined || judged === undefined || judged.at === at) then(operation, grant);
    else if (meansTheSame(understanding, this.#talk.understand(judged.statement))) {
      this.#judged = { ...judged, at, sight: this.#talk.sight() };
      then(operation, grant);
    } else this.withdrawn(new Running(operation, grant, understanding), changedBefore(), simple);
  }

  /** While the answer was awaited an earlier statement of the cycle failed: the server passes over this one, so it is not sent. */
  #overtaken(operation: Operation, outcome: Outcome, asked: Asked): void {
    if (outcome.kind !== 'granted' || asked.naming || asked.understanding === undefined) return;
    this.#talk.complete(new Running(operation, outcome.grant, asked.understanding), 'cancelled');
  }

  start(operation: Operation, grant: Running['grant'], understanding: Understanding): Running {
    this.#talk.lastGrant = grant;
    if (understanding.runsUnseen) this.#talk.names.ranUnseen();
    if (understanding.mayShadow) this.#talk.shadowed = true;
    const started = new Running(operation, grant, understanding, this.#judged);
    started.allowance = allowanceOf(this.#talk.session.limits.inForce, understanding);
    return started;
  }

  /** What was granted a while ago goes now, unless an earlier statement of its cycle has failed: then the server would pass over it. */
  resumed(started: Running, go: () => void): void {
    if (this.#talk.skipping) this.#talk.complete(started, 'cancelled');
    else go();
  }

  /** It was granted and cannot go after all. */
  withdrawn(started: Running, fault: GatewayFault, simple: boolean): void {
    started.reason = fault.publicMessage;
    this.#talk.complete(started, 'cancelled');
    if (!this.#talk.skipping) this.#refuse(started.id, fault, simple);
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
  strictRefusal(understanding: Understanding, fields: readonly FieldDescription[] | undefined): GatewayFault | undefined {
    if (!understanding.needsFields || understanding.refusal !== undefined) return undefined;
    if (fields === undefined && understanding.maskFacts.mentionsAll && returnsRows(understanding)) return unknownColumns();
    return planColumns(this.#talk.sight().masks, understanding.maskFacts, resultFields(fields ?? [])).refusal;
  }

  /** Asks the server which columns the statement would return, before any of it runs. Not where the question's Sync would end more than itself. */
  probe(text: string, understanding: Understanding, then: (fields: readonly FieldDescription[] | undefined) => void): void {
    if (understanding.statements.length !== 1 || this.cycleIsOpen) {
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

  describeFirst(statement: PreparedStatement, then: () => void): void {
    // Where the cycle fails before the answer comes, the server passes over what waits for it.
    this.#question({ kind: 'describe-statement', statement, hidden: true }, (answered) => {
      if (answered) then();
    });
    this.cycleIsOpen = true;
    this.#talk.housekeep(encode.describe('S', statement.name));
    this.#talk.housekeep(encode.emptyClientMessage('Flush'));
  }

  #question(entry: Expected, resume: (answered: boolean) => void): void {
    this.#talk.expected.push(entry);
    this.#asking = { entry, resume };
  }

  mayMask(understanding: Understanding): boolean {
    const { masks } = this.#talk.sight();
    return masks.hidden.length > 0 || !masks.detectors.isEmpty || returnsRows(understanding);
  }
}

function changedBefore(): GatewayFault {
  return new GatewayFault('schema-changed', {
    publicMessage: 'another session changed the schema while this waited, and it would mean something else now: it was not sent',
  });
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

const probeName = 'sallyport_probe';

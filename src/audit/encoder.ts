import type { AuditRecord } from '../core/record.ts';
import { encodeValue, MAX_LEAF_BYTES, quote, type Stamp } from './record.ts';

type Decided = AuditRecord & { type: 'operation.decided' };
type Completed = AuditRecord & { type: 'operation.completed' };

/** What becomes a leaf when it is written: nothing about it changes any more, it can be encoded, and it fits. */
export interface LaterLeaf {
  /** About how long it will be, in UTF-16 units. */
  readonly size: number;
  encode(): string;
}

/**
 * `encodeRecord` for one log, made cheap for what nearly all of a log consists of, and not one byte is different.
 *
 * In `operation.decided` nearly everything is the same whenever the same statement runs in the same session. What is the same is found by the identity
 * of `facts`, encoded once, and frozen: a caller that changed it later would get an error, not a record of what it was before. The rest is put together when
 * it is written: many records then are, one after the other, by code that the processor has at hand.
 */
export class RecordEncoder {
  readonly #templates = new WeakMap<object, DecidedTemplate>();
  readonly #quoted = new Map<string, string>();

  /** Undefined for what is not one of the many, or is long. Throws as `encodeRecord` does, and at once. */
  later(record: AuditRecord, stamp: Stamp): LaterLeaf | undefined {
    if (record.type === 'operation.completed') {
      const leaf = record.transfers === undefined ? new CompletedLeaf(record, stamp, this.#quoted) : undefined;
      return leaf?.fits === true ? leaf : undefined;
    }
    if (record.type !== 'operation.decided' || isRare(record)) return undefined;
    const leaf = new DecidedLeaf(record, stamp, this.#templateOf(record, stamp));
    return leaf.fits ? leaf : undefined;
  }

  #templateOf(record: Decided, stamp: Stamp): DecidedTemplate {
    let template = this.#templates.get(record.facts);
    if (template === undefined || !template.fits(record, stamp)) {
      template = new DecidedTemplate(record, stamp);
      this.#templates.set(record.facts, template);
    }
    return template;
  }
}

class CompletedLeaf implements LaterLeaf {
  readonly size: number;
  readonly fits: boolean;
  readonly #stamp: Stamp;
  readonly #quoted: Map<string, string>;
  readonly #bytes: number;
  readonly #durationMs: number;
  readonly #errorCode: string | undefined;
  readonly #masked: string;
  readonly #operation: string;
  readonly #outcome: string;
  readonly #reason: string | undefined;
  readonly #rows: number;
  readonly #session: string;

  /** `quoted`: the JSON of what comes again and again. */
  constructor(
    { bytes, duration_ms, error_code, masked, operation, outcome, reason, rows, session }: Completed,
    stamp: Stamp,
    quoted: Map<string, string>,
  ) {
    for (const count of [bytes, duration_ms, rows]) if (!Number.isFinite(count)) encodeValue(count);
    this.#stamp = stamp;
    this.#quoted = quoted;
    this.#bytes = bytes;
    this.#durationMs = duration_ms;
    this.#errorCode = error_code;
    this.#masked = isEmpty(masked) ? '{}' : encodeValue(masked);
    this.#operation = operation;
    this.#outcome = outcome;
    this.#reason = reason;
    this.#rows = rows;
    this.#session = session;
    const texts = operation.length + outcome.length + session.length + (error_code?.length ?? 0) + (reason?.length ?? 0);
    this.size = COMPLETED_UNITS + texts + this.#masked.length + stamp.gateway.length + stamp.policy_version.length;
    this.fits = this.size * MOST_BYTES <= MAX_LEAF_BYTES;
  }

  encode(): string {
    const { gateway, policy_version, time } = this.#stamp;
    let json = `{"bytes":${encodeValue(this.#bytes)},"duration_ms":${encodeValue(this.#durationMs)}`;
    if (this.#errorCode !== undefined) json += `,"error_code":${quote(this.#errorCode)}`;
    json += `,"gateway":${this.#quote(gateway)},"masked":${this.#masked},"operation":${quote(this.#operation)}`;
    json += `,"outcome":${this.#quote(this.#outcome)},"policy_version":${this.#quote(policy_version)}`;
    if (this.#reason !== undefined) json += `,"reason":${quote(this.#reason)}`;
    return `${json},"rows":${encodeValue(this.#rows)},"session":${this.#quote(this.#session)},"time":"${time}","type":"operation.completed","v":1}`;
  }

  #quote(text: string): string {
    let quoted = this.#quoted.get(text);
    if (quoted === undefined) {
      if (this.#quoted.size >= MAX_QUOTED) this.#quoted.clear();
      this.#quoted.set(text, (quoted = quote(text)));
    }
    return quoted;
  }
}

class DecidedLeaf implements LaterLeaf {
  readonly size: number;
  readonly fits: boolean;
  readonly #template: DecidedTemplate;
  readonly #digest: string | undefined;
  readonly #operation: string;
  readonly #parameters: string | undefined;
  readonly #text: string;
  readonly #textExact: string;
  readonly #time: string;

  constructor({ digest, operation, parameters, text, text_exact }: Decided, { time }: Stamp, template: DecidedTemplate) {
    this.#template = template;
    this.#digest = digest;
    this.#operation = operation;
    this.#parameters = parameters === undefined ? undefined : encodeValue(parameters);
    this.#text = text;
    this.#textExact = encodeValue(text_exact);
    this.#time = time;
    this.size = template.length + operation.length + text.length + (digest?.length ?? 0) + (this.#parameters?.length ?? 0);
    this.fits = this.size * MOST_BYTES <= MAX_LEAF_BYTES;
  }

  encode(): string {
    const { beforeDigest, beforeOperation, beforeText } = this.#template;
    let json = beforeDigest;
    if (this.#digest !== undefined) json += `,"digest":${quote(this.#digest)}`;
    json += beforeOperation + quote(this.#operation);
    if (this.#parameters !== undefined) json += `,"parameters":${this.#parameters}`;
    return `${json}${beforeText}${quote(this.#text)},"text_exact":${this.#textExact},"time":"${this.#time}","type":"operation.decided","v":1}`;
  }
}

/** The stretches of an `operation.decided` between what differs each time: `digest`, `operation`, `parameters`, `text`, `text_exact`, `time`. */
class DecidedTemplate {
  readonly length: number;
  readonly beforeDigest: string;
  readonly beforeOperation: string;
  readonly beforeText: string;
  readonly #record: Decided;
  readonly #stamp: Stamp;

  constructor(record: Decided, stamp: Stamp) {
    const { acts, data_classes, decision, facts, policies, principal, pure_read, session, target } = record;
    for (const part of [acts, data_classes, facts, policies]) freeze(part);
    this.#record = record;
    this.#stamp = stamp;
    this.beforeDigest = `{"acts":${encodeValue(acts)},"data_classes":${encodeValue(data_classes)},"decision":${quote(decision)}`;
    this.beforeOperation = `,"facts":${encodeValue(facts)},"gateway":${quote(stamp.gateway)},"operation":`;
    const policy = `,"policies":${encodeValue(policies)},"policy_version":${quote(stamp.policy_version)},"principal":${quote(principal)}`;
    this.beforeText = `${policy},"pure_read":${encodeValue(pure_read)},"session":${quote(session)},"target":${quote(target)},"text":`;
    this.length = DECIDED_UNITS + this.beforeDigest.length + this.beforeOperation.length + this.beforeText.length;
  }

  /** True where everything that is constant here is so in this record. */
  fits(record: Decided, stamp: Stamp): boolean {
    const known = this.#record;
    return (
      record.acts === known.acts &&
      record.policies === known.policies &&
      record.session === known.session &&
      record.data_classes === known.data_classes &&
      record.decision === known.decision &&
      record.pure_read === known.pure_read &&
      record.principal === known.principal &&
      record.target === known.target &&
      stamp.policy_version === this.#stamp.policy_version &&
      stamp.gateway === this.#stamp.gateway
    );
  }
}

/** Refusals, what people approved, what runs by name: with members of their own. */
function isRare({ approvals, code, runs }: Decided): boolean {
  return approvals !== undefined || code !== undefined || runs !== undefined;
}

function isEmpty(counts: Completed['masked']): boolean {
  for (const name in counts) if (Object.hasOwn(counts, name)) return false;
  return true;
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const member of Object.values(value)) freeze(member);
}

const MAX_QUOTED = 10_000;
/** No UTF-16 unit becomes more in JSON: `\u0000`. */
const MOST_BYTES = 6;
/** The names of members, and numbers, at most. */
const COMPLETED_UNITS = 300;
const DECIDED_UNITS = 200;

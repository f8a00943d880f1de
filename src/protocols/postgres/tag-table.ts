import { GatewayFault } from '../../core/fault.ts';
import { LENGTH_FIELD_BYTES, LIMIT_BYTES } from './messages.ts';

/** What a state does with each tag. Build once per state, with `tagTable`. */
export interface TagTable {
  /** By tag: one of the dispositions below. */
  readonly disposition: Uint8Array;
  /** By tag: the largest length field, in bytes. */
  readonly limitBytes: Uint32Array;
  /** For the fault's detail: what is expected here. */
  readonly expecting: string;
}

export interface TagRules {
  /** For the fault's detail, for example "a message after login". */
  readonly expecting: string;
  /** Handed out whole, one by one: tag and limit of its length field in bytes. */
  readonly open?: readonly (readonly [tag: number, limitBytes: number])[];
  /** Handed out in runs. */
  readonly forward?: readonly number[];
  /** Handed out in runs and counted. */
  readonly count?: readonly number[];
  /** For `forward` and `count`; `LIMIT_BYTES.forwarded` where absent. */
  readonly forwardLimitBytes?: number;
}

export function tagTable(rules: TagRules): TagTable {
  const disposition = new Uint8Array(256);
  const limitBytes = new Uint32Array(256);
  for (const tag of rules.forward ?? []) set(tag, FORWARD, rules.forwardLimitBytes ?? LIMIT_BYTES.forwarded);
  for (const tag of rules.count ?? []) set(tag, COUNT, rules.forwardLimitBytes ?? LIMIT_BYTES.forwarded);
  for (const [tag, limit] of rules.open ?? []) set(tag, OPEN, limit);
  return { disposition, limitBytes, expecting: rules.expecting };

  function set(tag: number, what: number, limit: number): void {
    if (disposition[tag] !== REFUSE) throw new RangeError(`tag ${tag} has two rules`);
    disposition[tag] = what;
    limitBytes[tag] = limit;
  }
}

export function refusal(table: TagTable, tag: number, length: number): GatewayFault {
  if (table.disposition[tag] === REFUSE) {
    return new GatewayFault('protocol-violation', {
      publicMessage: `message type ${tagName(tag)} is not allowed here`,
      detail: `message type ${tagName(tag)} where ${table.expecting} was expected`,
    });
  }
  if (length < LENGTH_FIELD_BYTES) return badLength(tag, length);
  return tooLong(tag, length, table.limitBytes[tag]!);
}

export function badLength(tag: number, length: number): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `a message of type ${tagName(tag)} has the impossible length ${length}` });
}

export function tooLong(tag: number, length: number, limit: number): GatewayFault {
  if (length > MAX_INT32) return badLength(tag, length);
  return new GatewayFault('limit-exceeded', {
    publicMessage: `a message of type ${tagName(tag)} is ${length} bytes long; the limit is ${limit}`,
    hint: 'Send less in one message, or have the limit raised in the gateway’s configuration.',
  });
}

function tagName(tag: number): string {
  if (tag === 0) return 'startup';
  return tag > 0x20 && tag < 0x7f ? `'${String.fromCharCode(tag)}'` : `0x${tag.toString(16).padStart(2, '0')}`;
}

export const REFUSE = 0;
export const FORWARD = 1;
export const COUNT = 2;
export const OPEN = 3;

const MAX_INT32 = 0x7fff_ffff;

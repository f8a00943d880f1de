import { readFields, type HeaderField } from './head-fields.ts';
import { isSingleton, spelledOut, staysHere } from './head-names.ts';

/**
 * What stands behind the body of a request, as far as it may go on (RFC 9110 section 6.5.1): names and values in turn, as for `readFields`, whose faults it throws. Whatever a server must know
 * before it has the body is left out, and so is all that the head of a request must not bring to the target: some servers put trailers among the fields of the head.
 */
export function checkedTrailers(raw: readonly string[]): readonly HeaderField[] {
  return raw.length === 0 ? none : readFields(raw).filter(({ name }) => mayFollow(name));
}

/** Whether a field of this name may stand behind a body. */
export function mayFollow(name: string): boolean {
  const spelled = spelledOut(name);
  if (behindBodies.has(spelled)) return true;
  return !staysHere(spelled) && !isSingleton(spelled) && !inHeads.has(spelled) && !inHeadsOnly.some((prefix) => spelled.startsWith(prefix));
}

const none: readonly HeaderField[] = [];
/** Digests of the body (RFC 9530), among names that otherwise say what it is. */
const behindBodies: ReadonlySet<string> = new Set(['content-digest']);
/** They change what is asked for, or how it is answered. */
const inHeads: ReadonlySet<string> = new Set([
  'age',
  'alt-used',
  'cache-control',
  'cookie2',
  'depth',
  'destination',
  'expires',
  'idempotency-key',
  'lock-token',
  'location',
  'overwrite',
  'pragma',
  'prefer',
  'priority',
  'retry-after',
  'set-cookie',
  'timeout',
  'vary',
  'via',
  'warning',
  'www-authenticate',
]);
const inHeadsOnly: readonly string[] = ['accept', 'access-control-', 'content-', 'if-', 'sec-', 'want-'];

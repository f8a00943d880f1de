import type { AnswerHead } from '../request.ts';

export interface OwnPlace {
  /** Of the target, as its URL has it: `https://crm.internal`. */
  readonly origin: string;
  /** In front of every path: empty, or begins with a slash and ends with none. */
  readonly basePath: string;
  /** Where clients find it: `https://gw.bank.example:8443/http/crm`. */
  readonly base: string;
}

/**
 * An answer whose Location and Content-Location (RFC 9110 sections 10.2.2 and 8.7) lead to the target by way of the gateway, where they lead to the target at all: a client that
 * follows one stays behind the gateway. What leads elsewhere, also elsewhere on the target's host, stays as it is.
 */
export function relocated(head: AnswerHead, place: OwnPlace): AnswerHead {
  if (!head.fields.some(({ name }) => NAMES.has(name))) return head;
  return {
    ...head,
    fields: head.fields.map((field) => (NAMES.has(field.name) ? { ...field, value: throughGateway(field.value, place) } : field)),
  };
}

function throughGateway(value: string, { origin, basePath, base }: OwnPlace): string {
  const isOwn = value.toLowerCase().startsWith(origin.toLowerCase());
  const path = isOwn ? value.slice(origin.length) : value;
  // `https://crm.internal.evil.example` and `//host` are other places.
  if (!(path.startsWith('/') || (isOwn && path === '')) || path.startsWith('//')) return value;
  if (!path.startsWith(basePath)) return value;
  const rest = path.slice(basePath.length);
  return rest === '' || /^[/?#]/.test(rest) ? `${base}${rest}` : value;
}

const NAMES: ReadonlySet<string> = new Set(['location', 'content-location']);

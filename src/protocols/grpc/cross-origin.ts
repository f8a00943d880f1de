import { listOf } from '../http/head-fields.ts';
import { isToken } from '../http/head-names.ts';
import type { CheckedHead } from '../http/head.ts';
import type { CrossOrigin, HeaderField } from '../request.ts';
import { valueOf } from './head.ts';

/**
 * What a page of another origin is told, that is on the list (Fetch Standard, "CORS protocol"): browsers ask before a call of gRPC-Web, and show a page nothing of an
 * answer that does not name its origin. Never with credentials of the browser's own (cookies): the token is the page's to send. Undefined: nothing, and a browser lets no such page call.
 */
export function crossOrigin(
  { method, fields }: Pick<CheckedHead, 'method' | 'fields'>,
  origins: readonly string[],
): CrossOrigin | undefined {
  const origin = valueOf(fields, 'origin');
  if (origin === undefined || !origins.includes(origin)) return undefined;
  const allowed: readonly HeaderField[] = [
    { name: 'access-control-allow-origin', value: origin },
    { name: 'vary', value: 'origin' },
  ];
  const isPreflight = method === 'OPTIONS' && valueOf(fields, 'access-control-request-method') !== undefined;
  if (!isPreflight) return { isPreflight, fields: [...allowed, { name: 'access-control-expose-headers', value: '*' }] };
  return {
    isPreflight,
    fields: [
      ...allowed,
      { name: 'access-control-allow-methods', value: 'POST' },
      // A star does not stand for Authorization.
      { name: 'access-control-allow-headers', value: listOf(fields, 'access-control-request-headers').filter(isToken).join(', ') },
      { name: 'access-control-max-age', value: '600' },
    ],
  };
}

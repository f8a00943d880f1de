import * as z from 'zod';
import type { Principal } from '../core/principal.ts';
import type { ApiContext, Role } from './context.ts';
import type { EventStream } from './events.ts';

/** `open`: no sign-in. `person`: anyone signed in. Roles: one of them is enough. */
export type Access = 'open' | 'person' | readonly Role[];

/**
 * One endpoint. The table of all routes is what the server registers and what the OpenAPI document is generated from, so neither
 * can know a route that the other does not.
 */
export interface Route<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** OpenAPI notation: `/api/v1/sessions/{id}`. */
  readonly path: `/${string}`;
  readonly summary: string;
  readonly access: Access;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly bodyType?: 'application/json' | 'application/x-www-form-urlencoded';
  /** Shape of the answer where it is JSON. */
  readonly result: R;
  /** Media type of the answer where it is not JSON. */
  readonly resultType?: string;
  handle(call: Call<z.output<P>, z.output<Q>, z.output<B>>): Answer<z.output<R>> | Promise<Answer<z.output<R>>>;
}

export interface Call<P = unknown, Q = unknown, B = unknown> {
  readonly context: ApiContext;
  /** The signed-in person; a route with `open` access must not ask. */
  readonly principal: Principal;
  readonly roles: ReadonlySet<Role>;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** Address of the client, for the record. */
  readonly peer: string;
  readonly lastEventId: string | undefined;
  /** True once the client has hung up. */
  readonly gone: () => boolean;
}

export type Answer<T = unknown> =
  | { readonly kind: 'json'; readonly status: number; readonly body: T }
  | { readonly kind: 'text'; readonly status: number; readonly type: string; readonly text: string }
  | { readonly kind: 'bytes'; readonly type: string; readonly bytes: AsyncIterable<Uint8Array> }
  | { readonly kind: 'events'; readonly run: (stream: EventStream) => Promise<void> };

/** Keeps the inferred shapes of one route while the table holds them all. */
export function route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
  definition: Route<P, Q, B, R>,
): Route {
  return definition;
}

export function ok<T>(body: T, status = 200): Answer<T> {
  return { kind: 'json', status, body };
}

export const nothing = z.strictObject({});
export const identifier = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/, 'an identifier');
export const byId = z.strictObject({ id: identifier });

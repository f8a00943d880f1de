import { GatewayFault } from '../../core/fault.ts';
import { fits, specificityOf, type Template } from '../../core/path-template.ts';

/** An operation that the target's API document lists. */
export interface ListedOperation {
  /** Upper case. */
  readonly method: string;
  readonly segments: Template;
  /** `operationId`; undefined where it has none. */
  readonly id: string | undefined;
}

/** What a request is by the document: an operation, with or without a name, or none. `refusal`: where nothing but what is listed is let through. */
export interface Listing {
  readonly id: string | undefined;
  readonly refusal: GatewayFault | undefined;
}

/** The operations of one target, for finding that of a request. */
export interface ListedOperations {
  find(method: string, segments: readonly string[]): Listing;
}

/**
 * Of all templates that fit the path the most specific one counts (`/pets/mine` before `/pets/{id}`, OpenAPI 3.1.1 section 4.8.8.2), whatever methods it has. No two of
 * `operations` may fit one path without one of them being the more specific. `unlisted`: what becomes of
 * everything else.
 */
export function listedOperations(operations: readonly ListedOperation[], unlisted: 'path' | 'deny'): ListedOperations {
  const templates = new Map<string, { readonly segments: Template; readonly methods: Map<string, string | undefined> }>();
  for (const { method, segments, id } of operations) {
    const key = JSON.stringify(segments);
    const known = templates.get(key) ?? { segments, methods: new Map<string, string | undefined>() };
    known.methods.set(method, id);
    templates.set(key, known);
  }
  const sorted = [...templates.values()].sort((a, b) => specificityOf(b.segments) - specificityOf(a.segments));
  const byLength = Map.groupBy(sorted, ({ segments }) => segments.length);
  return {
    find(method, segments) {
      const found = byLength.get(segments.length)?.find((one) => one.segments.every((segment, index) => fits(segment, segments[index]!)));
      if (found?.methods.has(method) === true) return { id: found.methods.get(method), refusal: undefined };
      return { id: undefined, refusal: unlisted === 'deny' ? refusalOf(found === undefined ? 'path' : 'method for this path') : undefined };
    },
  };
}

function refusalOf(what: string): GatewayFault {
  return new GatewayFault('policy-denied', {
    publicMessage: `the API document of this target lists no such ${what}, and nothing else is let through`,
  });
}

import { GatewayFault } from '../../core/fault.ts';
import type { Act, Facts } from '../../core/operation.ts';
import type { DataClasses } from '../../masking/classes.ts';
import { isPureRead, questionOf, segmentsOf } from './acts.ts';
import type { ListedOperations } from './listed.ts';
import { canonicalTarget } from './path.ts';

export interface HttpMeaning {
  readonly acts: readonly Act[];
  readonly facts: Facts;
  /** Data classes with places in the JSON of this path that would be masked. */
  readonly classes: readonly string[];
  readonly refusal: GatewayFault | undefined;
}

/** What a request would mean, told from its first line alone (`GET /customers/7?expand=orders`, and `WEBSOCKET /feed` for one that opens a WebSocket); without one, what connecting means. Sends nothing. */
export function explainHttp(options: {
  readonly line: string | undefined;
  readonly target: string;
  readonly readOnly: boolean | undefined;
  readonly operations: ListedOperations | undefined;
  readonly classes: DataClasses;
  readonly revealed: ReadonlySet<string>;
}): HttpMeaning {
  const { line, target, classes, revealed } = options;
  if (line === undefined)
    return { acts: [{ action: 'connect', object: { type: 'Target', id: target } }], facts: {}, classes: [], refusal: undefined };
  const [, word = '', place = ''] = /^([A-Z]+) (\S+)$/.exec(line.trim()) ?? [];
  const isWebSocket = word === 'WEBSOCKET';
  const method = isWebSocket ? 'GET' : word;
  if (method === '')
    return refused(new GatewayFault('unclassified', { publicMessage: 'expected a method and a path, such as GET /customers/7' }));
  const canonical = canonicalTarget(place);
  if (canonical instanceof GatewayFault) return refused(canonical);
  if (options.readOnly === true && (isWebSocket || !isPureRead(method))) {
    return refused(
      new GatewayFault('read-only', {
        publicMessage: `this target is for reading only: ${isWebSocket ? 'a WebSocket' : method} may write`,
      }),
    );
  }
  const { decodedPath, parameters } = canonical;
  const segments = segmentsOf(decodedPath);
  const listing = options.operations?.find(method, segments);
  if (listing?.refusal !== undefined) return refused(listing.refusal);
  const parameterNames = parameters.map(({ name }) => name);
  const rules = classes.documentRules(target, segments).filter((rule) => !revealed.has(rule.class));
  return {
    ...questionOf({
      target,
      method,
      isWebSocket,
      host: '',
      decodedPath,
      parameterNames,
      fields: [],
      reason: undefined,
      body: undefined,
      operationId: listing?.id,
    }),
    classes: [...new Set(rules.map((rule) => rule.class))],
    refusal: undefined,
  };
}

function refused(refusal: GatewayFault): HttpMeaning {
  return { acts: [], facts: {}, classes: [], refusal };
}

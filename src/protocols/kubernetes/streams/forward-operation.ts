import type { Act, Facts, ObjectRef, Operation, UnmaskedOperation } from '../../../core/operation.ts';

/** A pod, and what is asked of one forwarded connection to it. */
export interface ForwardPlace {
  readonly namespace: string;
  readonly pod: string;
  /** The pod, as the request itself names it. */
  readonly object: ObjectRef;
}

/**
 * One forwarded connection: `kubernetes:port-forward` on `Forward::"aks/prod/pods/web-1:5432"`. `opaque`: nothing looks into what goes over it. `session`: the
 * target whose session it goes through instead.
 */
export function forwardOperation(id: string, sessionId: string, place: ForwardPlace, port: number, through: string | undefined): Operation {
  const object: ObjectRef = { type: 'Forward', id: `${place.object.id}:${port}`, parents: [place.object] };
  const acts: readonly Act[] = [{ action: 'kubernetes:port-forward', object }];
  const facts: Facts = {
    resource: 'pods',
    subresource: 'portforward',
    api_group: '',
    namespace: place.namespace,
    name: place.pod,
    destination_port: port,
    opaque: through === undefined,
  };
  const text = `forward a connection to port ${port} of ${place.namespace}/${place.pod}${through === undefined ? '' : `, as a session of target ${through}`}`;
  return new ForwardOperation(id, sessionId, acts, facts, text);
}

class ForwardOperation implements Operation {
  readonly id: string;
  readonly sessionId: string;
  readonly protocol = 'kubernetes';
  readonly acts: readonly Act[];
  readonly facts: Facts;
  readonly pureRead = false;
  readonly naming = false;
  readonly text: string;
  readonly textIsExact = true;
  readonly dataClasses: readonly string[] = [];

  constructor(id: string, sessionId: string, acts: readonly Act[], facts: Facts, text: string) {
    this.id = id;
    this.sessionId = sessionId;
    this.acts = acts;
    this.facts = facts;
    this.text = text;
  }

  exact(): Uint8Array {
    return new TextEncoder().encode(this.text);
  }

  unmasked(): UnmaskedOperation {
    return { text: this.text, runs: [], parameters: [] };
  }
}

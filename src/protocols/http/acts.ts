import { RecentMap } from '../../core/recent-map.ts';
import type { Act, ActionName, Facts, ObjectRef } from '../../core/operation.ts';
import type { HeaderField } from '../request.ts';
import { mediaTypeOf } from './media.ts';
import type { CanonicalTarget } from './path.ts';
import type { ValueFacts } from './value-facts.ts';

/** What policy is asked about a request. */
export interface Question {
  readonly acts: readonly Act[];
  readonly facts: Facts;
}

export interface AskedParts {
  readonly target: string;
  /** Upper case. */
  readonly method: string;
  readonly isWebSocket: boolean;
  readonly host: string;
  readonly decodedPath: string;
  readonly parameterNames: readonly string[];
  readonly fields: readonly HeaderField[];
  readonly reason: string | undefined;
  /** Undefined: policy asks about no values. */
  readonly values: ValueFacts | undefined;
  /** The name of the operation in the target's API document. */
  readonly operationId: string | undefined;
}

/**
 * `questionOf`, and the same object where the session asked the same lately: by it policy knows its decision again, and the audit log what it has encoded already.
 */
export function askedQuestion(session: object, parts: AskedParts): Question {
  let known = asked.get(session);
  if (known === undefined) asked.set(session, (known = new RecentMap(mostRemembered)));
  const { target, method, isWebSocket, host, decodedPath, parameterNames, reason, values, operationId } = parts;
  const media = mediaTypeOf(parts.fields).name;
  const isPlain = parameterNames.length === 0 && reason === undefined && values === undefined && operationId === undefined;
  const rest = isPlain ? '' : JSON.stringify([parameterNames, reason ?? null, values ?? null, operationId ?? null]);
  // None of those in front can have a line break in it.
  const key = `${target}\n${method}\n${isWebSocket}\n${host}\n${media}\n${decodedPath}\n${rest}`;
  let question = known.get(key);
  if (question === undefined) known.set(key, (question = questionOf(parts)));
  return question;
}

/**
 * One act: the method, or opening a WebSocket, on the path `target/a/b/c`, which stands in `target/a/b` and `target/a`. A slash at the end names a path in the one without. An operation that has a
 * name is the object itself, and stands in its path.
 */
export function questionOf({
  target,
  method,
  isWebSocket,
  host,
  decodedPath,
  parameterNames,
  fields,
  reason,
  values,
  operationId,
}: AskedParts): Question {
  const media = mediaTypeOf(fields).name;
  return {
    acts: [{ action: isWebSocket ? 'http:websocket' : actionOf(method), object: objectOf(target, decodedPath, operationId) }],
    facts: {
      method,
      path: decodedPath,
      ...(host === '' ? {} : { host }),
      ...(parameterNames.length === 0 ? {} : { query_parameters: [...new Set(parameterNames)] }),
      ...(media === '' ? {} : { content_type: media }),
      ...values,
      ...(reason === undefined ? {} : { reason }),
    },
  };
}

/** Nothing can change: the methods that RFC 9110 section 9.2.1 and the QUERY method's draft call safe. */
export function isPureRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || method === 'QUERY';
}

/** Decoded segments of a canonical path; a slash at the end is an empty last one. */
export function segmentsOf(decodedPath: string): readonly string[] {
  return decodedPath === '/' ? [] : decodedPath.slice(1).split('/');
}

export function namesOf(target: CanonicalTarget): readonly string[] {
  return target.parameters.map(({ name }) => name);
}

function actionOf(method: string): ActionName {
  return KNOWN.has(method) ? `http:${method.toLowerCase()}` : 'http:other';
}

function objectOf(target: string, decodedPath: string, operationId: string | undefined): ObjectRef {
  const path = pathObject(target, decodedPath);
  return operationId === undefined ? path : { type: 'Method', id: `${target}/${operationId}`, parents: [path] };
}

function pathObject(target: string, decodedPath: string): ObjectRef {
  const parents: ObjectRef[] = [];
  for (let at = decodedPath.lastIndexOf('/'); at > 0; at = decodedPath.lastIndexOf('/', at - 1)) {
    parents.push({ type: 'Path', id: `${target}${decodedPath.slice(0, at)}` });
  }
  return { type: 'Path', id: `${target}${decodedPath}`, parents };
}

const asked = new WeakMap<object, RecentMap<string, Question>>();
/** Of each session. */
const mostRemembered = 200;
const KNOWN: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'QUERY', 'POST', 'PUT', 'PATCH', 'DELETE']);

import type { JsonObject } from './json.ts';

/** An answer other than success: a `Status` (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/). */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: JsonObject | undefined;

  constructor(code: number, reason: string, message: string, details?: JsonObject) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  get status(): JsonObject {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

export function unauthorized(): StatusError {
  return new StatusError(401, 'Unauthorized', 'Unauthorized');
}

export function forbidden(message: string, details: JsonObject): StatusError {
  return new StatusError(403, 'Forbidden', message, details);
}

export function notFound(resource: string, group: string, name: string): StatusError {
  const qualified = group === '' ? resource : `${resource}.${group}`;
  return new StatusError(404, 'NotFound', `${qualified} "${name}" not found`, { name, ...groupOf(group), kind: resource });
}

export function noSuchPath(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});
}

export function methodNotAllowed(): StatusError {
  return new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});
}

export function notAcceptable(offered: readonly string[]): StatusError {
  return new StatusError(406, 'NotAcceptable', `only the following media types are accepted: ${offered.join(', ')}`);
}

export function alreadyExists(resource: string, group: string, name: string): StatusError {
  const qualified = group === '' ? resource : `${resource}.${group}`;
  return new StatusError(409, 'AlreadyExists', `${qualified} "${name}" already exists`, { name, ...groupOf(group), kind: resource });
}

export function conflict(resource: string, group: string, name: string, why: string): StatusError {
  const qualified = group === '' ? resource : `${resource}.${group}`;
  const message = `Operation cannot be fulfilled on ${qualified} "${name}": ${why}`;
  return new StatusError(409, 'Conflict', message, { name, ...groupOf(group), kind: resource });
}

export function gone(message: string): StatusError {
  return new StatusError(410, 'Expired', message);
}

export function unsupportedMediaType(message: string): StatusError {
  return new StatusError(415, 'UnsupportedMediaType', message);
}

export interface Cause {
  readonly reason: string;
  readonly field: string;
  readonly message: string;
}

export function invalid(kind: string, group: string, name: string, causes: readonly Cause[]): StatusError {
  const qualified = group === '' ? kind : `${kind}.${group}`;
  const words = causes.map(({ field, message }) => `${field}: ${message}`);
  const said = words.length === 1 ? words[0] : `[${words.join(', ')}]`;
  return new StatusError(422, 'Invalid', `${qualified} "${name}" is invalid: ${said}`, {
    name,
    ...groupOf(group),
    kind,
    causes: causes.map(({ reason, field, message }) => ({ reason, message, field })),
  });
}

export function internalError(message: string): StatusError {
  return new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });
}

function groupOf(group: string): JsonObject {
  return group === '' ? {} : { group };
}

import { STATUS_CODES } from 'node:http';
import { assertNever, GatewayFault } from '../core/fault.ts';
import type { FaultCode } from '../core/fault.ts';

/** RFC 9457 problem document, as every refusal of the API is worded. `code` is stable; `detail` and `hint` are for people. */
export interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly hint?: string;
}

/** What only an HTTP API can refuse; everything else is a `GatewayFault`. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, options: { hint?: string; headers?: Readonly<Record<string, string>> } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = options.hint;
    this.headers = options.headers ?? {};
  }
}

export function notFound(what: string): HttpRefusal {
  return new HttpRefusal(404, 'not-found', `${what} does not exist, or is not yours to see`);
}

/** Any thrown value as a refusal; the text of what was not meant for clients stays inside. */
export function toRefusal(error: unknown): HttpRefusal {
  if (error instanceof HttpRefusal) return error;
  if (error instanceof GatewayFault) return faultRefusal(error);
  return frameworkRefusal(error) ?? new HttpRefusal(500, 'internal', 'internal gateway error');
}

export function toProblem(refusal: HttpRefusal): Problem {
  return {
    type: 'about:blank',
    title: STATUS_CODES[refusal.status] ?? 'Error',
    status: refusal.status,
    code: refusal.code,
    detail: refusal.message,
    ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
  };
}

function faultRefusal(fault: GatewayFault): HttpRefusal {
  const status = statusOf(fault.code);
  const headers: Record<string, string> = {};
  if (status === 401) headers['www-authenticate'] = 'Bearer realm="sallyport", error="invalid_token"';
  if (status === 503) headers['retry-after'] = '1';
  return new HttpRefusal(status, fault.code, fault.publicMessage, { ...(fault.hint === undefined ? {} : { hint: fault.hint }), headers });
}

function statusOf(code: FaultCode): number {
  switch (code) {
    case 'authentication-failed':
    case 'session-ended':
      return 401;
    case 'access-denied':
    case 'policy-denied':
    case 'approval-denied':
    case 'masking-refused':
    case 'read-only':
    case 'reason-required':
    case 'encryption-required':
      return 403;
    case 'target-unknown':
      return 404;
    case 'approval-expired':
    case 'approval-cancelled':
    case 'approval-required':
    case 'schema-changed':
      return 409;
    case 'unclassified':
      return 422;
    case 'protocol-violation':
      return 400;
    case 'limit-exceeded':
    case 'rate-exceeded':
    case 'too-many-sessions':
      return 429;
    case 'unsupported':
      return 501;
    case 'upstream-refused':
      return 502;
    case 'audit-unavailable':
    case 'policy-unavailable':
    case 'recording-unavailable':
    case 'shutting-down':
      return 503;
    case 'statement-timeout':
    case 'upstream-unavailable':
      return 504;
    case 'internal':
      return 500;
    default:
      return assertNever(code, 'fault code');
  }
}

/** Fastify's own refusals of a request (body too large, unknown media type, malformed JSON) carry `statusCode` below 500. */
function frameworkRefusal(error: unknown): HttpRefusal | undefined {
  const { statusCode, message } = (error ?? {}) as { statusCode?: unknown; message?: unknown };
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return undefined;
  return new HttpRefusal(statusCode, 'bad-request', String(message));
}

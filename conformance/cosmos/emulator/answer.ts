/** What a request gets back. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request as the emulator works on it. */
export interface Asked {
  readonly method: string;
  /** Names, decoded. */
  readonly segments: readonly string[];
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: unknown;
}

/** An error of the service. */
export class ServiceError extends Error {
  readonly status: number;
  readonly code: string;
  readonly more: Readonly<Record<string, unknown>>;
  readonly substatus: number;

  constructor(status: number, code: string, message: string, more: Readonly<Record<string, unknown>> = {}, substatus = 0) {
    super(message);
    this.status = status;
    this.code = code;
    this.more = more;
    this.substatus = substatus;
  }
}

export function notFound(): ServiceError {
  return new ServiceError(404, 'NotFound', 'Entity with the specified id does not exist in the system.');
}

export function badRequest(message: string, more: Readonly<Record<string, unknown>> = {}): ServiceError {
  return new ServiceError(400, 'BadRequest', message, more);
}

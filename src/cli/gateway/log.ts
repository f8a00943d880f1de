import { pino } from 'pino';
import { GatewayFault } from '../../core/fault.ts';

/** The operators' log: JSON lines on stderr. May be lost; never holds a token, a secret or an unmasked value. The audit log is another thing. */
export interface OperatorLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  problem(what: string, error: unknown, fields?: Readonly<Record<string, unknown>>): void;
}

/** `base` stands in every line. */
export function createLog(level: string, base: Readonly<Record<string, unknown>> | null = null): OperatorLog {
  const log = pino({ level, base, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: false }));
  return {
    info: (message, fields = {}) => log.info(fields, message),
    warn: (message, fields = {}) => log.warn(fields, message),
    problem: (what, error, fields = {}) => log.warn({ ...fields, ...described(error) }, what),
  };
}

function described(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof GatewayFault) return { code: error.code, detail: error.detail };
  const text = String(error);
  return error === undefined ? {} : { error: text };
}

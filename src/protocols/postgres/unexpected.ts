import { GatewayFault } from '../../core/fault.ts';
import type { Expected } from './expected.ts';

/** The target broke the protocol: `what` came while `head` was to be answered. */
export function unexpected(what: string, head: Expected | undefined): GatewayFault {
  return new GatewayFault('protocol-violation', {
    publicMessage: 'the target sent a message that was not expected',
    detail: `upstream ${what} while ${head?.kind ?? 'nothing'} was expected`,
  });
}

import { GatewayFault } from '../core/fault.ts';
import type { UpgradeName } from '../protocols/tunnel.ts';

/** What the transport itself refuses or gives up. */

export function deadlinePassed(): GatewayFault {
  return new GatewayFault('statement-timeout', { publicMessage: 'the deadline of the call has passed' });
}

export function noUpgrade(upgrade: UpgradeName): GatewayFault {
  return new GatewayFault('unsupported', { publicMessage: `this request cannot be one for an upgrade to ${upgrade}` });
}

export function tooLongToApprove(maxBytes: number): GatewayFault {
  return new GatewayFault('limit-exceeded', {
    publicMessage: `this needs approval, and a body of more than ${maxBytes} bytes cannot be shown to a reviewer`,
  });
}

export function notToBeShown(): GatewayFault {
  return new GatewayFault('policy-denied', {
    publicMessage:
      'this needs approval because of a sensitive value in its path or in the name of a parameter, which cannot be shown to a reviewer',
    hint: 'Send the value in the body, or have the policy written without it.',
  });
}

export function tooSlow(target: string, timeoutMs: number | undefined): GatewayFault {
  const limit = timeoutMs === undefined ? 'did not answer in time' : `did not answer within statement_timeout (${timeoutMs / 1000} s)`;
  return new GatewayFault('statement-timeout', { publicMessage: `target ${target} ${limit}` });
}

export function unavailable(what: string, detail: string, cause?: unknown): GatewayFault {
  return new GatewayFault('upstream-unavailable', { publicMessage: `the target cannot be reached: ${what}`, detail, cause });
}

/** It can be read in no way, or in more than one. */
export function malformed(detail: string, cause?: unknown): GatewayFault {
  return unavailable('its answer is malformed', detail, cause);
}

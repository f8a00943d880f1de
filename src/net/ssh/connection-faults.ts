import { GatewayFault } from '../../core/fault.ts';
import { violation } from '../../protocols/ssh/fault.ts';

/** How a connection ends, and channels that are not opened, as whoever waits for them is told. */

export function broken(peer: 'client' | 'target', detail: string): GatewayFault {
  return new GatewayFault('upstream-unavailable', { publicMessage: `the connection to the ${peer} is lost`, detail });
}

/** What ssh2 cannot read. It takes packets of 35,000 bytes (RFC 4253 section 6.1 asks for no more), and clients send each command as one. */
export function unreadable(reason: string, isOfClient: boolean): GatewayFault {
  if (reason !== 'Bad packet length' || !isOfClient) return violation(reason);
  return new GatewayFault('limit-exceeded', {
    publicMessage: 'more than 35,000 bytes in one packet, as of a command that is too long',
    hint: 'Give a long script as input (ssh <target> sh < script), or copy it as a file first.',
  });
}

/** `by`: the peer that was asked to open a channel. */
export function notOpened(by: 'target' | 'client', reason: number, text: string): GatewayFault {
  const detail = `reason ${reason}: ${text.slice(0, 256)}`;
  if (by === 'client') return new GatewayFault('unsupported', { publicMessage: 'the client does not take the connection', detail });
  return new GatewayFault('upstream-refused', {
    publicMessage: 'the target does not open a channel',
    detail,
    hint: 'Ask the platform team what the target’s SSH server allows.',
  });
}

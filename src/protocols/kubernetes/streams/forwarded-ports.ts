import { GatewayFault } from '../../../core/fault.ts';
import type { QueryParameter } from '../../http/path.ts';

/** As a decimal number in its only spelling; undefined where it is none. */
export function portOf(text: string): number | undefined {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

/** The ports that are forwarded over channels, in order; one may come twice, and is then two connections. */
export function forwardedPorts(parameters: readonly QueryParameter[]): readonly number[] | GatewayFault {
  const texts = parameters.filter(({ name }) => name === 'ports').flatMap(({ value }) => value.split(','));
  const ports = texts.flatMap((text) => portOf(text) ?? []);
  if (texts.length === 0) return refused('the parameter ports is required to forward ports over the channels of a WebSocket');
  if (ports.length < texts.length) return refused('the parameter ports names something that is no port');
  return ports.length > maxPorts ? refused(`more than ${maxPorts} ports cannot be forwarded over one WebSocket`) : ports;
}

function refused(publicMessage: string): GatewayFault {
  return new GatewayFault('unclassified', { publicMessage });
}

/** In the base64 form the last channel's name is the last character of ASCII. */
const maxPorts = 40;

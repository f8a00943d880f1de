import { GatewayFault } from '../../core/fault.ts';
import { canonicalTarget, type CanonicalTarget } from '../http/path.ts';

/**
 * The request target, with one slash at its beginning and none at its end; direct mode is refused with the reason. Never throws. SDKs for Python up to 3 put a path behind
 * the endpoint as the account document names it, with its slash, and so send `//dbs/…`.
 */
export function readCosmosTarget(text: string): CanonicalTarget | GatewayFault {
  if (/^\/*addresses(?:[/?]|$)/i.test(text)) return directMode();
  const target = canonicalTarget(text.replace(/^\/(?=\/(?:dbs|offers)(?:[/?]|$))/, ''));
  if (target instanceof GatewayFault) return target;
  if (/(?:^|\/)addresses(?:\/|$)/i.test(target.decodedPath) && !target.decodedPath.startsWith('/dbs/')) return directMode();
  if (target.path === '/' || !target.path.endsWith('/')) return target;
  return { ...target, path: target.path.slice(0, -1), decodedPath: target.decodedPath.slice(0, -1) };
}

function directMode(): GatewayFault {
  return new GatewayFault('unsupported', {
    publicMessage:
      'the client asks for the addresses of replicas: in direct mode it would talk to them itself, around policy, masking and record',
    hint: 'Set the SDK to gateway mode: ConnectionMode.Gateway (.NET), gatewayMode() (Java).',
  });
}

import { canonicalTarget } from '../http/path.ts';
import { GatewayFault } from '../../core/fault.ts';
import { resourceOf } from './resource.ts';

/**
 * What an account key signs (Microsoft Learn, "Access control on Azure Cosmos DB resources"): verb, kind of resource, its link and the date, a line each, then an
 * empty one. `path`: canonical, without the base path of the account. `date`: as it stands in x-ms-date.
 */
export function signedText(method: string, path: string, date: string): string {
  const target = canonicalTarget(path);
  if (target instanceof GatewayFault) throw target;
  const { type, link } = resourceOf(target.decodedPath === '/' ? [] : target.decodedPath.slice(1).split('/'));
  // The deletion of a partition is signed as what its container is: no document says, the SDK for JavaScript does it so.
  const signed = type === 'partitionkey' ? 'colls' : type;
  return `${method.toLowerCase()}\n${signed}\n${link}\n${date.toLowerCase()}\n\n`;
}

/** `type=master&ver=1.0&sig=…` or `type=aad&…`, as the header carries it. */
export function authorizationOf(type: 'master' | 'aad', signature: string): string {
  return encodeURIComponent(`type=${type}&ver=1.0&sig=${signature}`);
}

import { GatewayFault } from '../../core/fault.ts';
import type { CheckedHead } from '../http/head.ts';
import { bearerOf } from '../http/identify.ts';
import type { IdentifiedHead } from '../request.ts';

/**
 * The token of `type=aad&ver=1.0&sig=<token>`, percent-encoded or not, as SDKs send a token credential (Microsoft Learn, "Access control on Azure Cosmos DB
 * resources"), or of `Bearer`. Throws `authentication-failed`: for a key, since only hashes of tokens are kept and nobody could check what was signed with
 * one; for a resource token, which is the account's and not the gateway's.
 */
export function cosmosCredentialOf(head: CheckedHead): IdentifiedHead {
  const { authorization } = head;
  if (authorization === undefined || /^bearer /i.test(authorization)) return bearerOf(head);
  const [, type = '', signature = ''] = /^type=([a-z]+)&ver=[0-9.]+&sig=(.+)$/i.exec(unescaped(authorization)) ?? [];
  if (type.toLowerCase() === 'aad' && /^[A-Za-z0-9._~+/-]+=*$/.test(signature)) return { credential: signature, head };
  const why = REFUSED.get(type.toLowerCase()) ?? 'the authorization header is not understood';
  throw new GatewayFault('authentication-failed', {
    publicMessage: `the credential was not accepted: ${why}`,
    detail: `authorization of type ${type === '' ? 'unknown' : type.slice(0, 16)}`,
    hint: 'Give the SDK a token credential (aadCredentials, TokenCredential) that answers with a token for this gateway.',
  });
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const REFUSED: ReadonlyMap<string, string> = new Map([
  ['master', 'an account key is not taken here, and no other key either'],
  ['resource', 'resource tokens are the account’s, not the gateway’s'],
]);

import type { CosmosTargetConfig } from '../../config/index.ts';
import type { ClockPort } from '../../core/ports.ts';
import type { UpstreamCredential } from '../../identity/upstream/index.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import type { RequestTarget } from '../../net/http-target.ts';
import { authorizationOf, signedText, type CosmosTarget } from '../../protocols/cosmos/index.ts';
import { requestProtocols } from '../../protocols/registry.ts';
import type { InForce } from './in-force.ts';
import type { WayToTarget } from './request-targets.ts';

/** An account of Azure Cosmos DB, and what its requests need to know. */
export function cosmosTarget(config: CosmosTargetConfig, inForce: InForce, { upstream }: WayToTarget): RequestTarget {
  const target = cosmosSettings(config);
  return {
    dialect: requestProtocols.cosmos,
    upstream,
    reads: () => [],
    ask(request, { principal, target: asked }) {
      const { classes } = inForce.targets;
      const revealed = inForce.policy.reveals(principal, asked, classes.names);
      return requestProtocols.cosmos.ask(request, { target, classes, revealed }, []);
    },
  };
}

export function cosmosSettings({ name, masking, readOnly, database, upstream: { basePath } }: CosmosTargetConfig): CosmosTarget {
  return { name, masking, readOnly, database, basePath };
}

/** As the account takes it: a signature of its key over each request, or a token of Entra ID. `token`: what makes such tokens, as Authorization: Bearer. */
export function cosmosCredential(
  { accountKey, basePath }: CosmosTargetConfig['upstream'],
  token: UpstreamCredential | undefined,
  clock: ClockPort,
): UpstreamCredential | undefined {
  const date = (): string => new Date(clock.now()).toUTCString();
  if (accountKey !== undefined) {
    const key = Buffer.from(accountKey.text(), 'base64');
    return {
      fieldNames,
      async fieldsFor({ method, target }) {
        const now = date();
        const text = signedText(method, target.slice(basePath.length), now);
        const signature = Buffer.from(nodeCrypto.hmacSha256(key, Buffer.from(text, 'utf8'))).toString('base64');
        return fieldsOf(authorizationOf('master', signature), now);
      },
      refused: () => false,
    };
  }
  if (token === undefined) return undefined;
  return {
    fieldNames,
    async fieldsFor(request) {
      const [field] = await token.fieldsFor(request);
      return fieldsOf(authorizationOf('aad', field!.value.slice(bearer.length)), date());
    },
    refused: ([authorization]) => {
      const sent = decodeURIComponent(authorization!.value).replace(/^.*&sig=/, bearer);
      return token.refused([{ name: 'authorization', value: sent }]);
    },
  };
}

function fieldsOf(authorization: string, date: string) {
  return [
    { name: 'authorization', value: authorization },
    { name: 'x-ms-date', value: date },
  ];
}

const bearer = 'Bearer ';
const fieldNames = ['authorization', 'x-ms-date'];

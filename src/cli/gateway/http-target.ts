import type { HttpTargetConfig } from '../../config/index.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { compileJsonPath } from '../../masking/json-path.ts';
import type { RequestTarget } from '../../net/http-target.ts';
import type { HttpTarget } from '../../protocols/http/index.ts';
import { requestProtocols } from '../../protocols/registry.ts';
import { operationsOf } from '../http-listing.ts';
import type { InForce } from './in-force.ts';
import type { WayToTarget } from './request-targets.ts';

/** An HTTP target, and what its requests need to know. */
export function httpTarget(config: HttpTargetConfig, inForce: InForce, { upstream, credential }: WayToTarget): RequestTarget {
  const target = httpSettings(config, credential?.fieldNames);
  return {
    dialect: requestProtocols.http,
    upstream,
    reads: () => [],
    ask(request, { principal, target: asked }) {
      const { classes } = inForce.targets;
      const revealed = inForce.policy.reveals(principal, asked, classes.names);
      return requestProtocols.http.ask(request, { target, classes, revealed, randomBytes: (length) => nodeCrypto.randomBytes(length) }, []);
    },
  };
}

export function httpSettings(config: HttpTargetConfig, credentialNames: readonly string[] = []): HttpTarget {
  const { name, masking, readOnly, cookies, bodyFacts, unmaskedMediaTypes } = config;
  const { basePath } = config.upstream;
  return {
    name,
    masking,
    readOnly,
    cookies,
    unmaskedMediaTypes,
    basePath,
    origin: originOf(config.upstream),
    ...(bodyFacts === undefined
      ? {}
      : { bodyFacts: Object.entries(bodyFacts).map(([fact, path]) => ({ name: fact, path: compileJsonPath(path) })) }),
    operations: operationsOf(config),
    credentialNames,
  };
}

/** As clients of the target itself would write it. */
function originOf({ host, port, tls }: HttpTargetConfig['upstream']): string {
  const scheme = tls === 'unsafe_disable' ? 'http' : 'https';
  const name = host.includes(':') ? `[${host}]` : host;
  return `${scheme}://${name}${port === (scheme === 'https' ? 443 : 80) ? '' : `:${port}`}`;
}

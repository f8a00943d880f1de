import type { HttpTargetConfig } from '../../config/index.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import type { RequestTarget } from '../../net/http-target.ts';
import type { HttpTarget } from '../../protocols/http/index.ts';
import { requestProtocols } from '../../protocols/registry.ts';
import { operationsOf } from '../http-listing.ts';
import type { InForce } from './in-force.ts';
import type { WayToTarget } from './request-targets.ts';

/** An HTTP target, and what its requests need to know. */
export function httpTarget(config: HttpTargetConfig, inForce: InForce, { upstream, credential }: WayToTarget): RequestTarget {
  const { name, masking, readOnly, cookies, unmaskedMediaTypes } = config;
  const { basePath } = config.upstream;
  const target: HttpTarget = {
    name,
    masking,
    readOnly,
    cookies,
    unmaskedMediaTypes,
    basePath,
    operations: operationsOf(config),
    credentialNames: credential?.fieldNames ?? [],
  };
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

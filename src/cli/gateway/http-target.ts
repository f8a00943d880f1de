import type { HttpTargetConfig } from '../../config/index.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { compileJsonPath } from '../../masking/json-path.ts';
import type { RequestTarget } from '../../net/http-target.ts';
import type { AskEnvironment, HttpTarget } from '../../protocols/http/index.ts';
import { requestProtocols } from '../../protocols/registry.ts';
import { operationsOf } from '../http-listing.ts';
import type { InForce } from './in-force.ts';
import type { WayToTarget } from './request-targets.ts';

/** An HTTP target, and what its requests need to know. */
export function httpTarget(config: HttpTargetConfig, inForce: InForce, { upstream, credential }: WayToTarget): RequestTarget {
  const target = httpSettings(config, credential?.fieldNames);
  const randomBytes = (length: number): Uint8Array => nodeCrypto.randomBytes(length);
  // Policy gives the same set for the same question, for as long as it holds.
  const made = new WeakMap<ReadonlySet<string>, AskEnvironment>();
  const environment = ({ principal, target: asked }: PipelineSession): AskEnvironment => {
    const { classes } = inForce.targets;
    const revealed = inForce.policy.reveals(principal, asked, classes.names);
    let found = made.get(revealed);
    if (found?.classes !== classes) made.set(revealed, (found = { target, classes, revealed, randomBytes }));
    return found;
  };
  return {
    dialect: requestProtocols.http,
    upstream,
    reads: () => [],
    asksBy: environment,
    ask: (request, session) => requestProtocols.http.ask(request, environment(session), []),
  };
}

export function httpSettings(config: HttpTargetConfig, credentialNames: readonly string[] = []): HttpTarget {
  const { name, masking, readOnly, cookies, bodyFacts, queryFacts, headerFacts, unmaskedMediaTypes } = config;
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
    queryFacts,
    headerFacts,
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

import { GatewayFault } from '../core/fault.ts';
import type { RequestDialect } from '../protocols/request.ts';

/** Where a request wants to go. */
export interface Place {
  readonly target: string;
  /** Its own request target, with everything that chose the target taken off; not read yet. */
  readonly rest: string;
  /** What of the path chose the target: empty, or `/http/crm`. */
  readonly prefix: string;
  /** The one whose place the path begins with; undefined where the path chose nothing. */
  readonly dialect: RequestDialect | undefined;
}

/**
 * The target by host name, `<target>.<gateway host>`, else by the path's beginning, `/http/<target>` (`/k8s/<target>`, …). Throws `target-unknown`. `host` is in
 * lower case and may have a port; `requestTarget` is as it was sent.
 */
export function placeOf(host: string, requestTarget: string, gatewayHost: string, dialects: readonly RequestDialect[]): Place {
  const name = host.replace(/:[0-9]+$/, '');
  const suffix = `.${gatewayHost.toLowerCase()}`;
  const label = name.endsWith(suffix) ? name.slice(0, -suffix.length) : '';
  if (/^[a-z0-9-]+$/.test(label)) return { target: label, rest: requestTarget, prefix: '', dialect: undefined };
  const dialect = dialectOfPath(requestTarget, dialects);
  const [, target, rest] = /^\/[a-z0-9]+\/([a-z0-9_-]{1,63})((?:[/?].*)?)$/.exec(requestTarget) ?? [];
  if (dialect === undefined || target === undefined || rest === undefined) {
    const places = dialects.flatMap(({ place }) => (place === undefined ? [] : [`/${place}/<target>/`]));
    throw new GatewayFault('target-unknown', {
      publicMessage: `the path must begin with ${places.join(' or ')}, or the host must be <target>${suffix}`,
    });
  }
  return { target, rest: rest.startsWith('/') ? rest : `/${rest}`, prefix: `/${dialect.place}/${target}`, dialect };
}

/** The protocol whose place a path begins with. */
export function dialectOfPath(requestTarget: string, dialects: readonly RequestDialect[]): RequestDialect | undefined {
  return dialects.find(({ place }) => place !== undefined && requestTarget.startsWith(`/${place}/`));
}

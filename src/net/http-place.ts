import { GatewayFault } from '../core/fault.ts';

/** Where a request wants to go. */
export interface Place {
  readonly target: string;
  /** Its own request target, with everything that chose the target taken off; not read yet. */
  readonly rest: string;
}

/**
 * The target by host name, `<target>.<gateway host>`, else by the path's beginning, `/http/<target>`. Throws `target-unknown`. `host` is in lower case and may
 * have a port; `requestTarget` is as it was sent.
 */
export function placeOf(host: string, requestTarget: string, gatewayHost: string): Place {
  const name = host.replace(/:[0-9]+$/, '');
  const suffix = `.${gatewayHost.toLowerCase()}`;
  const label = name.endsWith(suffix) ? name.slice(0, -suffix.length) : '';
  if (/^[a-z0-9-]+$/.test(label)) return { target: label, rest: requestTarget };
  const [, target, rest] = /^\/http\/([a-z0-9_-]{1,63})((?:[/?].*)?)$/.exec(requestTarget) ?? [];
  if (target === undefined || rest === undefined) {
    throw new GatewayFault('target-unknown', {
      publicMessage: `the path must begin with /http/<target>/, or the host must be <target>${suffix}`,
    });
  }
  return { target, rest: rest.startsWith('/') ? rest : `/${rest}` };
}

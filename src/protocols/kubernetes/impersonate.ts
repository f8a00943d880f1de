import { GatewayFault } from '../../core/fault.ts';
import type { Principal } from '../../core/principal.ts';
import type { HeaderField } from '../request.ts';
import type { Impersonation } from './environment.ts';

/**
 * As whom the API server is to take the gateway's requests (Impersonate-User, Impersonate-Group). What a token says never becomes a name of Kubernetes' own
 * (`system:masters`, a service account): such a name stands in the configuration as it is, or not at all.
 */
export function impersonatedFields(impersonation: Impersonation | undefined, principal: Principal): readonly HeaderField[] | GatewayFault {
  if (impersonation === undefined) return [];
  const { issuer, subject, groups } = principal;
  const user = impersonation.user.replaceAll(/\{(issuer|subject)\}/g, (_, part: string) => (part === 'issuer' ? issuer : subject));
  const named = impersonation.groups.flatMap((template) => {
    return template.includes('{group}')
      ? groups.map((group) => ({ template, name: template.replaceAll('{group}', group) }))
      : [{ template, name: template }];
  });
  for (const { template, name } of [{ template: impersonation.user, name: user }, ...named]) {
    if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(name)) return refused('has characters that no header can carry');
    if (name !== template && name.startsWith('system:')) return refused('would be one of Kubernetes’ own');
  }
  if (named.length > mostGroups) return refused('has too many groups');
  return [
    { name: 'impersonate-user', value: user },
    ...[...new Set(named.map(({ name }) => name))].map((value) => ({ name: 'impersonate-group', value })),
  ];
}

function refused(why: string): GatewayFault {
  return new GatewayFault('access-denied', { publicMessage: `your identity cannot be passed on to the cluster: it ${why}` });
}

const mostGroups = 128;

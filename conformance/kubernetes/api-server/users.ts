import type { IncomingHttpHeaders } from 'node:http';
import type { PeerCertificate } from 'node:tls';
import type { ResourceRequest } from './request-info.ts';
import { forbidden, unauthorized } from './status.ts';

export interface User {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** Someone who signs on by a bearer token, or by a client certificate with this common name (groups from its organizations). */
export interface Account {
  readonly user: User;
  readonly token?: string;
}

/** What members of a group, or a user of this name, may do. `*`: anything. Members of `system:masters` may do everything. */
export interface Rule {
  readonly subject: string;
  readonly verbs: readonly string[];
  /** `pods`, `pods/exec`, `deployments.apps`; for impersonation `users`, `groups`. */
  readonly resources: readonly string[];
  readonly namespaces?: readonly string[];
}

export interface Caller {
  readonly user: User;
  /** Who signed on, where that is somebody else. */
  readonly impersonator: User | undefined;
}

export interface Access {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

export class Users {
  readonly #accounts: readonly Account[];
  readonly #rules: readonly Rule[];
  readonly #refused = new Set<string>();

  constructor(accounts: readonly Account[], rules: readonly Rule[]) {
    this.#accounts = accounts;
    this.#rules = rules;
  }

  /** Throws a Status 401 or 403. */
  identify(headers: IncomingHttpHeaders, certificate: PeerCertificate | undefined, issued: (token: string) => User | undefined): Caller {
    const user = this.#signedOn(headers, certificate, issued);
    const wanted = impersonated(headers);
    if (wanted === undefined) return { user, impersonator: undefined };
    this.#mayImpersonate(user, wanted);
    return { user: authenticated(wanted), impersonator: user };
  }

  /** Client certificates of this name are of no use any more. */
  refuse(commonName: string): void {
    this.#refused.add(commonName);
  }

  may(user: User, access: Access): boolean {
    if (user.groups.includes('system:masters')) return true;
    const plain = access.subresource === '' ? access.resource : `${access.resource}/${access.subresource}`;
    const qualified = access.group === '' ? plain : `${plain}.${access.group}`;
    return this.#rules.some(
      (rule) =>
        (rule.subject === user.name || user.groups.includes(rule.subject)) &&
        (rule.verbs.includes('*') || rule.verbs.includes(access.verb)) &&
        (rule.resources.includes('*') || rule.resources.includes(qualified)) &&
        (rule.namespaces === undefined || rule.namespaces.includes(access.namespace)),
    );
  }

  /** For `kubectl auth can-i --list`. */
  rulesOf(
    user: User,
  ): readonly { readonly verbs: readonly string[]; readonly apiGroups: readonly string[]; readonly resources: readonly string[] }[] {
    if (user.groups.includes('system:masters')) return [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }];
    return this.#rules
      .filter(({ subject }) => subject === user.name || user.groups.includes(subject))
      .map(({ verbs, resources }) => ({ verbs, apiGroups: ['*'], resources }));
  }

  #signedOn(headers: IncomingHttpHeaders, certificate: PeerCertificate | undefined, issued: (token: string) => User | undefined): User {
    const authorization = headers.authorization;
    if (authorization !== undefined) {
      const token = /^Bearer +(.+)$/i.exec(authorization)?.[1];
      const known = this.#accounts.find((account) => account.token !== undefined && account.token === token)?.user ?? issued(token ?? '');
      if (known === undefined) throw unauthorized();
      return authenticated(known);
    }
    if (certificate?.subject === undefined) throw unauthorized();
    const { CN, O } = certificate.subject as { CN?: string | string[]; O?: string | string[] };
    const name = [CN ?? ''].flat()[0] ?? '';
    if (this.#refused.has(name)) throw unauthorized();
    return authenticated({ name, groups: [O ?? []].flat() });
  }

  #mayImpersonate(user: User, wanted: User): void {
    const asked: [string, string][] = [['users', wanted.name], ...wanted.groups.map((group): [string, string] => ['groups', group])];
    for (const key of Object.keys(wanted.extra ?? {})) asked.push([`userextras/${key}`, key]);
    if (wanted.uid !== undefined) asked.push(['uids', wanted.uid]);
    for (const [resource, name] of asked) {
      if (this.may(user, { verb: 'impersonate', group: '', resource, subresource: '', namespace: '', name })) continue;
      throw forbidden(
        `${resource} "${name}" is forbidden: User "${user.name}" cannot impersonate resource "${resource}" in API group "" at the cluster scope`,
        {
          name,
          kind: resource,
        },
      );
    }
  }
}

/** Throws a Status 403 in the real server's words. */
export function refuseAccess(user: User, verb: string, request: ResourceRequest): never {
  const { group, resource, subresource, namespace, name } = request;
  const whole = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  const qualified = group === '' ? resource : `${resource}.${group}`;
  const what = name === '' ? qualified : `${qualified} "${name}"`;
  throw forbidden(`${what} is forbidden: User "${user.name}" cannot ${verb} resource "${whole}" in API group "${group}" ${where}`, {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    kind: resource,
  });
}

function authenticated(user: User): User {
  return user.groups.includes('system:authenticated') ? user : { ...user, groups: [...user.groups, 'system:authenticated'] };
}

/** https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation */
function impersonated(headers: IncomingHttpHeaders): User | undefined {
  const values = (name: string): string[] => {
    const value = headers[name];
    return value === undefined ? [] : [value].flat().flatMap((one) => one.split(/, */));
  };
  const name = values('impersonate-user')[0];
  const groups = values('impersonate-group');
  const uid = values('impersonate-uid')[0];
  const extra: Record<string, string[]> = {};
  for (const header of Object.keys(headers)) {
    if (header.startsWith('impersonate-extra-')) extra[decodeURIComponent(header.slice('impersonate-extra-'.length))] = values(header);
  }
  if (name === undefined) {
    if (groups.length === 0 && uid === undefined && Object.keys(extra).length === 0) return undefined;
    throw forbidden('requested groups without impersonating a user', {});
  }
  return { name, groups, ...(uid === undefined ? {} : { uid }), ...(Object.keys(extra).length > 0 ? { extra } : {}) };
}

import { createSign, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { listAt, numberAt, objectAt, textAt, type Json, type JsonObject, type KubeObject } from './json.ts';
import { now } from './pods.ts';
import type { Caller, User, Users } from './users.ts';

/** Answers to objects that are asked and never kept. */
export function review(kind: string, body: JsonObject, caller: Caller, users: Users): JsonObject {
  const { user } = caller;
  switch (kind) {
    case 'SelfSubjectAccessReview': {
      const asked = objectAt(body, 'spec', 'resourceAttributes');
      const isAllowed = users.may(user, {
        verb: textAt(asked, 'verb') || textAt(body, 'spec', 'nonResourceAttributes', 'verb'),
        group: textAt(asked, 'group'),
        resource: textAt(asked, 'resource'),
        subresource: textAt(asked, 'subresource'),
        namespace: textAt(asked, 'namespace'),
        name: textAt(asked, 'name'),
      });
      return { ...body, metadata: { creationTimestamp: null }, status: { allowed: isAllowed } };
    }
    case 'SelfSubjectRulesReview':
      return {
        ...body,
        metadata: { creationTimestamp: null },
        status: { resourceRules: users.rulesOf(user) as unknown as Json, nonResourceRules: [], incomplete: false },
      };
    default:
      return {
        ...body,
        metadata: { creationTimestamp: now() },
        status: { userInfo: { username: user.name, groups: [...user.groups], ...(user.uid === undefined ? {} : { uid: user.uid }) } },
      };
  }
}

/** Signs and knows the tokens of service accounts (TokenRequest), as the real server does. */
export class TokenIssuer {
  readonly #key: KeyObject;
  readonly #issued = new Map<string, { readonly user: User; readonly expiresMs: number }>();

  constructor() {
    this.#key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  }

  issue(account: KubeObject, request: JsonObject): JsonObject {
    const [namespace, name] = [textAt(account, 'metadata', 'namespace'), textAt(account, 'metadata', 'name')];
    const audiences = listAt(request, 'spec', 'audiences').map(String);
    const seconds = numberAt(request, 'spec', 'expirationSeconds') ?? 3_600;
    const issuedAt = Math.floor(Date.now() / 1_000);
    const user: User = {
      name: `system:serviceaccount:${namespace}:${name}`,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
      uid: textAt(account, 'metadata', 'uid'),
    };
    const claims = {
      aud: audiences.length === 0 ? [issuer] : audiences,
      exp: issuedAt + seconds,
      iat: issuedAt,
      iss: issuer,
      jti: randomUUID(),
      'kubernetes.io': { namespace, serviceaccount: { name, uid: user.uid } },
      nbf: issuedAt,
      sub: user.name,
    };
    const signed = [{ alg: 'ES256', kid: 'one' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    const signature = createSign('sha256').update(signed).sign({ key: this.#key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
    const token = `${signed}.${signature}`;
    if (audiences.length === 0) this.#issued.set(token, { user, expiresMs: claims.exp * 1_000 });
    return {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name, namespace, creationTimestamp: now() },
      spec: { audiences: claims.aud, expirationSeconds: seconds, boundObjectRef: null },
      status: { token, expirationTimestamp: new Date(claims.exp * 1_000).toISOString().replace('.000', '') },
    };
  }

  userOf(token: string): User | undefined {
    const found = this.#issued.get(token);
    return found !== undefined && found.expiresMs > Date.now() ? found.user : undefined;
  }
}

const issuer = 'https://kubernetes.default.svc.cluster.local';

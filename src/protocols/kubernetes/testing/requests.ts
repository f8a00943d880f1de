import type { Crypto } from '../../../core/crypto.ts';
import type { OpenSession } from '../../../core/effect.ts';
import { GatewayFault } from '../../../core/fault.ts';
import type { Principal } from '../../../core/principal.ts';
import { compileDataClasses } from '../../../masking/classes.ts';
import type { DataClass } from '../../../masking/types.ts';
import { canonicalTarget } from '../../http/path.ts';
import type { HeaderField, ReceivedRequest, RequestBody } from '../../request.ts';
import type { KubernetesEnvironment, KubernetesTarget } from '../environment.ts';

export interface Sent {
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: string | RequestBody;
}

/** `GET /api/v1/pods`, as the transport hands it to the adapter. */
export function request(line: string, { fields = {}, body }: Sent = {}): ReceivedRequest {
  const [method = '', target = ''] = line.split(' ');
  const canonical = canonicalTarget(target);
  if (canonical instanceof GatewayFault) throw canonical;
  const all: HeaderField[] = Object.entries(fields).map(([name, value]) => ({ name, value }));
  return {
    method,
    target: canonical,
    host: 'gw.bank.example',
    base: 'https://gw.bank.example/k8s/aks',
    upgrade: undefined,
    fields: all,
    forwardable: all.filter(({ name }) => !name.startsWith('sallyport-') && !name.startsWith('impersonate')),
    body: typeof body === 'string' ? { kind: 'whole', bytes: new TextEncoder().encode(body) } : (body ?? { kind: 'none' }),
  };
}

const principal: Principal = {
  issuer: 'ci',
  issuerUrl: 'https://ci.test',
  subject: 'job-7',
  kind: 'agent',
  groups: ['deployers', 'oncall'],
  groupsKnown: true,
  claims: {},
  display: 'the job',
  tokenId: 't1',
  expiresAtMs: 0,
  authenticatedBy: 'oidc-token',
};

/** `places`: resource, namespace and name, `#` and a path, such as `secrets/prod/*#$.data`, of the class `password`. */
export function testEnvironment(
  crypto: Crypto,
  places: readonly string[],
  more: Partial<KubernetesTarget> = {},
  { mask = 'redact', detects = true }: { readonly mask?: DataClass['mask']; readonly detects?: boolean } = {},
): KubernetesEnvironment {
  const documents = places.map((text) => {
    const [segments = '', path = ''] = text.split('#');
    return { target: 'aks', segments: segments.split('/'), path };
  });
  const classes = compileDataClasses(
    [
      { name: 'password', columns: [], paths: [], documents, detect: [], mask },
      {
        name: 'card-number',
        columns: [],
        paths: [],
        detect: detects ? [{ kind: 'recogniser', name: 'card-number' }] : [],
        mask: 'partial-last4',
      },
    ],
    crypto,
    new Uint8Array(32),
  );
  return {
    target: { name: 'aks', masking: 'taint', readOnly: false, basePath: '', credentialNames: [], impersonate: undefined, ...more },
    classes,
    revealed: new Set(),
    principal,
    streams: { session: {} as OpenSession, inflate: () => new Uint8Array(0), maskKey: () => new Uint8Array(4), forwards: new Map() },
  };
}

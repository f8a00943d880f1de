import type { ApiContext, Explanation, ExplainQuestion, Role } from '../../api/context.ts';
import type { ApprovalDesk } from '../../approvals/index.ts';
import type { AuditLog, LogsTogether } from '../../audit/index.ts';
import type { Config } from '../../config/index.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { Principal } from '../../core/principal.ts';
import type { Target } from '../../core/target.ts';
import type { Identity } from '../../identity/index.ts';
import { sshHostKey } from '../../identity/ssh-host-key.ts';
import type { Recordings } from '../../recordings/index.ts';
import { explain, type PolicyEngine } from '../../policy/index.ts';
import { sshMeaning } from '../ssh-meaning.ts';
import { requestMeaning, type RequestMeaning } from '../request-meaning.ts';
import { requestDialects } from '../../protocols/registry.ts';
import { explainPostgres, type Meaning } from '../../protocols/postgres/explain.ts';
import type { Analysis } from '../../sql/statement.ts';
import { metricsText } from './metrics.ts';
import type { Plane } from './plane.ts';
import type { Targets } from './targets.ts';

export interface ApiSources {
  readonly config: () => Config;
  readonly version: string;
  readonly identity: Identity;
  readonly policy: PolicyEngine;
  readonly desk: ApprovalDesk;
  readonly audit: AuditLog;
  /** Every log of this gateway. */
  readonly logs: LogsTogether;
  readonly plane: Plane;
  readonly targets: () => Targets;
  readonly readRecording: Recordings['read'];
  readonly analyse: (sql: string) => Analysis;
  readonly ports: {
    readonly postgres: number | undefined;
    readonly https: number | undefined;
    readonly ssh: number | undefined;
    readonly targets: ReadonlyMap<string, number>;
  };
  readonly problems: () => readonly string[];
  readonly report: (what: string, error: unknown) => void;
}

/** The house as the API sees it. */
export function apiContext(sources: ApiSources): ApiContext {
  const { audit, desk, identity, logs, plane, policy } = sources;
  let pendingApprovals = 0;
  const count = async (): Promise<void> => {
    pendingApprovals = (await desk.list({ state: 'pending' })).length;
  };
  desk.subscribe(() => void count().catch((error: unknown) => sources.report('approvals not counted', error)));
  return {
    get name() {
      return sources.config().gateway.name;
    },
    version: sources.version,
    get signIn() {
      return signInIssuers(sources.config());
    },
    get agents() {
      return sources
        .config()
        .issuers.filter((issuer) => issuer.kind !== 'user')
        .map((issuer) => ({ issuer: issuer.issuer, audience: firstAudience(issuer.audience) }));
    },
    identity,
    connection: (name) => connection(sources, name),
    ssh: () => sshDoor(sources),
    roles: (principal) => rolesOf(sources.config(), principal),
    sessions: plane.sessions,
    approvals: desk,
    audit: {
      append: (record) => audit.append(record),
      durable: (sequence) => audit.durable(sequence),
      get durableCount() {
        return audit.durableCount;
      },
      verifierKey: audit.verifierKey,
      query: (query) => logs.query(query),
      tail: (options) => logs.tail(options),
      end: () => logs.end(),
      // The gateway's own log then holds checkpoints of all others: this one stands for everything.
      checkpoint: async () => {
        await plane.witness();
        return audit.checkpoint();
      },
    },
    recordings: { read: (session) => sources.readRecording(session) },
    policy: {
      get version() {
        return policy.version;
      },
      explain: (question) => explained(sources, question),
    },
    health: () => ({ ready: audit.healthy && sources.problems().length === 0, problems: sources.problems() }),
    metrics: () => metricsText({ plane, audit, pendingApprovals }),
    report: sources.report,
  };
}

function sshDoor({ config, ports }: ApiSources): ReturnType<ApiContext['ssh']> {
  const { host, data } = config().gateway;
  return ports.ssh === undefined ? undefined : { host, port: ports.ssh, publicKey: sshHostKey(data).publicKey };
}

function rolesOf(config: Config, principal: Principal): ReadonlySet<Role> {
  if (!principal.groupsKnown || principal.kind !== 'user') return new Set();
  const roles = (Object.entries(config.roles) as [Role, readonly string[]][]).filter(([, groups]) =>
    groups.some((group) => principal.groups.includes(group)),
  );
  return new Set(roles.map(([role]) => role));
}

function connection(sources: ApiSources, name: string) {
  const config = sources.config();
  const target = config.targets.find((one) => one.name === name);
  if (target === undefined) return undefined;
  const { protocol } = target;
  const { host } = config.gateway;
  const own = sources.ports.targets.get(name);
  if (protocol === 'ssh') {
    const ssh = sshDoor(sources);
    return ssh === undefined ? undefined : { protocol, host, port: own ?? ssh.port, name, hostKey: ssh.publicKey };
  }
  if (protocol === 'postgres') {
    const port = own ?? sources.ports.postgres;
    return port === undefined ? undefined : { protocol, host, port, name: own === undefined ? name : target.upstream.database };
  }
  // Where the path chooses the target, every client can use the shared port; else its own is what needs no name of its own.
  const place = requestDialects.find((dialect) => dialect.name === protocol)?.place;
  const { https } = sources.ports;
  if (place !== undefined && https !== undefined) return { protocol, host, port: https, name, path: `/${place}/${name}` };
  if (own !== undefined) return { protocol, host, port: own, name, path: '' };
  return https === undefined ? undefined : { protocol, host: `${name}.${host}`, port: https, name, path: '' };
}

async function explained(sources: ApiSources, question: ExplainQuestion): Promise<Explanation> {
  const target = sources.targets().find(question.target);
  if (target === undefined) throw new GatewayFault('target-unknown', { publicMessage: `there is no target "${question.target}"` });
  const principal: Principal = {
    ...question.principal,
    issuerUrl: '',
    groupsKnown: true,
    display: question.principal.subject,
    tokenId: undefined,
    expiresAtMs: Number.MAX_SAFE_INTEGER,
    authenticatedBy: 'oidc-token',
  };
  const meaning = await meaningOf(sources, question.statement, principal, target);
  if (meaning.refusal !== undefined) {
    const { code, publicMessage } = meaning.refusal;
    return {
      decision: { kind: 'deny', code, policies: [], message: publicMessage },
      failure: undefined,
      acts: [],
      masked: meaning.classes,
    };
  }
  const asked = { principal, target, acts: meaning.acts, facts: meaning.facts, cacheKey: undefined };
  return { ...explain(sources.policy.policies, asked, Date.now()), masked: meaning.classes };
}

async function meaningOf(
  sources: ApiSources,
  statement: string | undefined,
  principal: Principal,
  target: Target,
): Promise<Meaning | RequestMeaning> {
  const { name, readOnly, masking } = target;
  const targets = sources.targets();
  const { classes } = targets;
  const revealed = sources.policy.reveals(principal, target, classes.names);
  const configured = targets.request(name);
  if (configured !== undefined) {
    return requestMeaning(configured, statement, { principal, classes, revealed, schema: targets.grpcSchema(name) });
  }
  const ssh = targets.ssh(name);
  if (ssh !== undefined) return { ...sshMeaning(ssh, target, statement, classes), classes: [] };
  if (target.protocol !== 'postgres') throw notExplained(target);
  const postgres = targets.postgres(name);
  await targets.prepare(name, undefined);
  return explainPostgres({ statement, target: postgres, masking, readOnly, revealed, analyse: sources.analyse });
}

function notExplained({ protocol }: Target): GatewayFault {
  return new GatewayFault('unsupported', { publicMessage: `what a request of ${protocol} means cannot be told without sending it` });
}

function signInIssuers(config: Config) {
  return config.issuers.flatMap((issuer) => {
    const { sign_in: signIn } = issuer;
    if (signIn === undefined) return [];
    return [
      {
        name: issuer.name,
        issuer: issuer.issuer,
        clientId: signIn.client_id,
        audience: firstAudience(issuer.audience),
        scopes: signIn.scopes,
        resource: signIn.resource,
      },
    ];
  });
}

function firstAudience(audience: string | readonly string[]): string {
  return typeof audience === 'string' ? audience : (audience[0] ?? '');
}

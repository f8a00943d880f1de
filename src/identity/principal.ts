import type { ClaimValue, Principal, PrincipalKind } from '../core/principal.ts';
import { firstUnfulfilled, flattenClaims } from './claims.ts';
import type { Issuer } from './issuer.ts';
import { isObject, type JsonObject } from './json.ts';
import { refusal, type RefusalContext } from './refusal.ts';

/** The principal of a token whose signature and claims were checked. Throws `authentication-failed` for subject and groups. */
export function principalOf(claims: JsonObject, issuer: Issuer, expiresAtMs: number, context: RefusalContext): Principal {
  const flat = flattenClaims(claims);
  const subject = subjectOf(claims, issuer, context);
  const kind = kindOf(claims, issuer);
  const membership = membershipOf(claims, flat, issuer, context);
  const recorded = recordedClaims(flat, issuer);
  return {
    issuer: issuer.name,
    issuerUrl: issuer.url,
    subject,
    kind,
    ...membership,
    claims: recorded,
    display: displayOf(claims, kind, recorded, subject),
    tokenId: tokenIdOf(claims),
    expiresAtMs,
    authenticatedBy: 'oidc-token',
  };
}

/**
 * `sub` is always there (RFC 7519 makes it optional, OpenID Connect Core section 2 does not). Entra ID's `sub` differs from
 * application to application; its immutable pair is `tid` and `oid`.
 */
function subjectOf(claims: JsonObject, issuer: Issuer, context: RefusalContext): string {
  const text = (name: string): string => {
    const value = claims.get(name);
    if (typeof value !== 'string' || value === '') throw refusal('subject-missing', context, name);
    if (value.length > subjectLimit || hasControls(value) || !value.isWellFormed()) throw refusal('subject-refused', context, name);
    return value;
  };
  const sub = text('sub');
  if (issuer.subjectClaim === 'sub') return sub;
  const subject = text(issuer.subjectClaim);
  if (issuer.subjectClaim !== 'oid') return subject;
  const tenant = text('tid');
  if (tenant.includes('/') || subject.includes('/')) throw refusal('subject-refused', context, 'tid');
  return `${tenant}/${subject}`;
}

/** A person only where nothing in the token says that it was issued to an application on its own behalf. */
function kindOf(claims: JsonObject, issuer: Issuer): PrincipalKind {
  if (issuer.kind === 'agent') return 'agent';
  const sub = claims.get('sub');
  // Entra ID: `idtyp`, and `oid` equal to `sub`. RFC 9068 section 2.2: `client_id` equal to `sub`. Auth0: `gty`.
  const isApplication =
    claims.get('idtyp') === 'app' ||
    claims.get('gty') === 'client-credentials' ||
    ['oid', 'client_id', 'azp', 'appid'].some((name) => claims.get(name) === sub);
  return isApplication ? 'agent' : 'user';
}

function membershipOf(
  claims: JsonObject,
  flat: JsonObject,
  issuer: Issuer,
  context: RefusalContext,
): Pick<Principal, 'groups' | 'groupsKnown'> {
  const groups = new Set(issuer.groups.filter((rule) => firstUnfulfilled(flat, rule.when) === undefined).map((rule) => rule.group));
  if (issuer.groupsClaim === undefined) return { groups: [...groups], groupsKnown: true };
  const listed = claims.get(issuer.groupsClaim) ?? [];
  if (!Array.isArray(listed) || !listed.every((group) => typeof group === 'string' && group !== '' && group.length <= groupLimit)) {
    throw refusal('groups-malformed', context, issuer.groupsClaim);
  }
  for (const group of listed as readonly string[]) groups.add(group);
  return { groups: [...groups], groupsKnown: !hasOverage(claims, issuer.groupsClaim) };
}

/**
 * Entra ID lists no more than 200 groups; above, it says where to ask for them (OpenID Connect Core section 5.6.2, distributed
 * claims) or merely that there are some. That place is never asked: membership is unknown then, which is not the same as none.
 */
function hasOverage(claims: JsonObject, groupsClaim: string): boolean {
  const names = claims.get('_claim_names');
  if (names !== undefined) return !isObject(names) || groupsClaim in names || 'groups' in names;
  return claims.has('_claim_sources') || ![undefined, false, 'false'].includes(claims.get('hasgroups') as string | undefined);
}

function recordedClaims(flat: JsonObject, issuer: Issuer): Readonly<Record<string, ClaimValue>> {
  const recorded: [string, ClaimValue][] = [];
  for (const name of new Set([...knownClaims, ...issuer.recordClaims])) {
    const value = flat.get(name);
    if (typeof value === 'string') recorded.push([name, cut(value, claimLimit)]);
    else if (typeof value === 'number' || typeof value === 'boolean') recorded.push([name, value]);
  }
  return Object.fromEntries(recorded);
}

function displayOf(claims: JsonObject, kind: PrincipalKind, recorded: Readonly<Record<string, ClaimValue>>, subject: string): string {
  const names = ['preferred_username', 'name', 'email', 'upn', 'unique_name'].map((name) => claims.get(name));
  const person = names.find((name): name is string => typeof name === 'string' && name !== '');
  const place = recorded.repository ?? recorded.project_path ?? recorded.pipeline_slug;
  const run = recorded.run_id ?? recorded.job_id ?? recorded.build_number;
  const job = place === undefined ? undefined : run === undefined ? String(place) : `${place} run ${run}`;
  return cut((kind === 'user' ? person : job) ?? subject, displayLimit).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}

function tokenIdOf(claims: JsonObject): string | undefined {
  const id = claims.get('jti') ?? claims.get('uti');
  return typeof id === 'string' && id !== '' && id.length <= tokenIdLimit && !hasControls(id) && id.isWellFormed() ? id : undefined;
}

function cut(text: string, limit: number): string {
  return text.slice(0, limit).toWellFormed();
}

function hasControls(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

/** A SPIFFE ID may have 2,048 bytes. */
const subjectLimit = 2_048;
const groupLimit = 512;
const claimLimit = 1_024;
const displayLimit = 256;
const tokenIdLimit = 256;

/** What CI systems and clouds say about a job: immutable ids first, then what people recognise. */
const knownClaims = [
  // GitHub Actions
  ['repository', 'repository_id', 'repository_owner', 'repository_owner_id', 'repository_visibility', 'ref', 'ref_type', 'sha'],
  ['base_ref', 'head_ref', 'workflow', 'workflow_ref', 'workflow_sha', 'job_workflow_ref', 'job_workflow_sha', 'run_id'],
  ['run_number', 'run_attempt', 'check_run_id', 'actor', 'actor_id', 'environment', 'event_name', 'runner_environment'],
  ['enterprise', 'enterprise_id'],
  // GitLab
  ['project_id', 'project_path', 'namespace_id', 'namespace_path', 'pipeline_id', 'pipeline_source', 'job_id', 'user_id'],
  ['user_login', 'ref_protected', 'ref_path', 'environment_protected', 'deployment_tier', 'ci_config_ref_uri', 'runner_id'],
  // Buildkite, Jenkins
  ['organization_id', 'organization_slug', 'pipeline_slug', 'build_number', 'build_branch', 'build_commit', 'build_tag'],
  ['step_key', 'agent_id'],
  // CircleCI
  ['oidc.circleci.com/project-id', 'oidc.circleci.com/vcs-origin', 'oidc.circleci.com/vcs-ref', 'oidc.circleci.com/ssh-rerun'],
  // Entra ID, and applications anywhere
  ['tid', 'oid', 'appid', 'azp', 'client_id', 'idtyp', 'xms_mirid', 'xms_az_rid'],
  // Kubernetes, AWS
  ['kubernetes.namespace', 'kubernetes.serviceaccount.name', 'kubernetes.serviceaccount.uid', 'kubernetes.pod.name'],
  ['kubernetes.pod.uid', 'kubernetes.node.name', 'aws.aws_account', 'aws.org_id', 'aws.source_region'],
  ['aws.ec2_source_instance_arn', 'aws.lambda_source_function_arn'],
].flat();

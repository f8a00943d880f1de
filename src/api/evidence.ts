import { principalKey } from '../core/principal.ts';
import type { Principal } from '../core/principal.ts';
import { recordPrincipal } from '../core/record.ts';
import type { AuditRecord } from '../core/record.ts';
import type { IssuedCredential } from '../identity/index.ts';
import type { ApiContext } from './context.ts';

interface Doer {
  readonly context: ApiContext;
  readonly principal: Principal;
}

/** Resolves once it is durable that this person read `what`: only then may the answer leave. Throws `audit-unavailable`. */
export async function recordRead(doer: Doer, what: string, query: Readonly<Record<string, unknown>>, results: number): Promise<void> {
  await record(doer.context, { type: 'evidence.read', what, query: JSON.stringify(query), results, ...recordPrincipal(doer.principal) });
}

/** Resolves once it is durable that this person does `action`: only then may it be done. Throws `audit-unavailable`. */
export async function recordAdministration(
  doer: Doer,
  action: string,
  detail: Readonly<Record<string, string | number | boolean>>,
): Promise<void> {
  await record(doer.context, { type: 'administration', action, detail, ...recordPrincipal(doer.principal) });
}

/** Resolves once it is durable that this gateway token, or key for SSH, is issued: only then may it be used. Throws `audit-unavailable`. */
export async function recordIssued(
  context: ApiContext,
  issued: Pick<IssuedCredential, 'id' | 'target' | 'principal' | 'expiresAtMs' | 'fingerprint'>,
): Promise<void> {
  const { id, target, principal, expiresAtMs, fingerprint } = issued;
  const key = fingerprint === undefined ? {} : { key: fingerprint };
  const expires = new Date(expiresAtMs).toISOString();
  await record(context, { type: 'credential.issued', credential: id, target, expires, ...key, ...recordPrincipal(principal) });
}

/** Resolves once it is durable that this credential is revoked: only then is it. Throws `audit-unavailable`. */
export async function recordRevoked(doer: Doer, credential: string, reason: string): Promise<void> {
  await record(doer.context, { type: 'credential.revoked', credential, by: principalKey(doer.principal), reason });
}

async function record(context: ApiContext, entry: AuditRecord): Promise<void> {
  await context.audit.durable(context.audit.append(entry));
}

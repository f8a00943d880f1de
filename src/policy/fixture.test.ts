import { createHash } from 'node:crypto';
import type { Act, ActionName, ObjectRef } from '../core/operation.ts';
import type { PolicyQuestion } from '../core/ports.ts';
import type { Principal } from '../core/principal.ts';
import type { Target } from '../core/target.ts';
import { compilePolicies, type KnownNames, type PolicySet } from './compile.ts';
import { createPolicyEngine } from './engine.ts';

// What the tests of this folder share: a target with labels, objects of it, an agent, and policies made of a text.

export const orders: Target = {
  name: 'orders',
  protocol: 'postgres',
  labels: { env: 'production', data: 'customer' },
  masking: 'taint',
  hold: 'wait',
};
const database: ObjectRef = { type: 'Database', id: 'orders/orders' };
const publicSchema: ObjectRef = { type: 'Schema', id: 'orders/public', parents: [database] };
export const customers: ObjectRef = { type: 'Relation', id: 'orders/public.customers', parents: [publicSchema] };
export const payments: ObjectRef = { type: 'Relation', id: 'orders/public.payments', parents: [publicSchema] };

export function act(action: ActionName, object: ObjectRef): Act {
  return { action, object };
}

export function agent(changes: Partial<Principal>): Principal {
  return {
    issuer: 'github',
    issuerUrl: 'https://issuer.example',
    subject: 'repo:bank/orders',
    kind: 'agent',
    groups: ['deployers'],
    groupsKnown: true,
    claims: {},
    display: 'bank/orders',
    tokenId: undefined,
    expiresAtMs: 1,
    authenticatedBy: 'oidc-token',
    ...changes,
  };
}

export function question(acts: readonly Act[], changes: Partial<PolicyQuestion> & { readonly connectTo?: string } = {}): PolicyQuestion {
  const { connectTo, ...rest } = changes;
  const asked = connectTo === undefined ? acts : acts.map((entry) => ({ ...entry, object: { ...entry.object, id: connectTo } }));
  return { principal: agent({}), target: orders, acts: asked, facts: {}, cacheKey: undefined, ...rest };
}

export function compile(text: string): PolicySet {
  return compileFiles([{ name: 'test.cedar', text }]);
}

export function compileFiles(files: readonly { readonly name: string; readonly text: string }[], names: KnownNames = {}): PolicySet {
  return compilePolicies({ files, ...names, crypto: { sha256: (data) => createHash('sha256').update(data).digest() } });
}

export function engineFor(text: string): ReturnType<typeof createPolicyEngine> {
  return createPolicyEngine(compile(text), { now: () => Date.UTC(2027, 2, 5, 12) });
}

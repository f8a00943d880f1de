import * as wasm from '@cedar-policy/cedar-wasm/nodejs';
import { GatewayFault } from '../core/fault.ts';
import { balanced } from './expression.ts';

/**
 * The one door to Cedar's WebAssembly build. Evaluation errors never come back as data: Cedar skips a `forbid` whose condition fails at
 * run time, so any error at all is a fault here, and the caller denies.
 */

export type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

export interface EntityUid {
  readonly type: string;
  readonly id: string;
}

export interface Entity {
  readonly uid: EntityUid;
  readonly attrs: Readonly<Record<string, string>>;
  readonly parents: readonly EntityUid[];
  readonly tags?: Readonly<Record<string, string>>;
}

export type ContextValue = string | number | boolean | readonly string[] | { readonly __entity: EntityUid };

export interface CedarRequest {
  readonly principal: EntityUid;
  readonly action: EntityUid;
  readonly resource: EntityUid;
  readonly context: Readonly<Record<string, ContextValue>>;
  readonly entities: readonly Entity[];
}

export interface CedarAnswer {
  readonly allowed: boolean;
  /** Ids of the policies that made the decision: the forbids that matched, or else the permits that matched. In no order. */
  readonly reasons: readonly string[];
}

/** One remark of Cedar about a text. Offsets are bytes of its UTF-8 form; undefined where Cedar names no place. */
export interface Remark {
  readonly message: string;
  readonly help: string | undefined;
  readonly start: number | undefined;
  /** Cedar's positional id (`policy0`); undefined for what concerns the whole text. */
  readonly policy: string | undefined;
}

export interface Validation {
  readonly errors: readonly Remark[];
  readonly warnings: readonly Remark[];
}

/** The policies of a text, each exactly as written, in no particular order. Throws nothing: what does not parse has no parts. */
export function splitPolicies(text: string): { readonly policies: readonly string[]; readonly templates: readonly string[] } {
  const answer = wasm.policySetTextToParts(text);
  if (answer.type === 'failure') return { policies: [], templates: [] };
  return { policies: answer.policies, templates: answer.policy_templates };
}

/** One policy's text as data. Undefined where it does not parse. */
export function parsePolicy(text: string): wasm.PolicyJson | undefined {
  const answer = wasm.policyToJson(text);
  return answer.type === 'success' ? balanced(answer.json) : undefined;
}

/** False where Cedar would not take a policy's data back: it is nested too deeply. */
export function canBeKept(policy: wasm.PolicyJson): boolean {
  try {
    return wasm.checkParsePolicySet({ staticPolicies: { checked: policy } }).type === 'success';
  } catch {
    return false;
  }
}

/** Strict validation of a whole text against a schema, both in Cedar's notation. */
export function validateText(schema: string, text: string): Validation {
  const answer = wasm.validate({ schema, policies: { staticPolicies: text } });
  if (answer.type === 'failure') return { errors: answer.errors.map((error) => toRemark(error, undefined)), warnings: [] };
  return {
    errors: answer.validationErrors.map((entry) => toRemark(entry.error, entry.policyId)),
    warnings: answer.validationWarnings.map((entry) => toRemark(entry.error, entry.policyId)),
  };
}

/** Keeps a parsed policy set under a name, in place of what was there. A name's memory is never freed: reuse names. */
export function keepPolicySet(name: string, policies: Readonly<Record<string, wasm.PolicyJson>>): void {
  const answer = guarded(() => wasm.preparsePolicySet(name, { staticPolicies: { ...policies } }));
  if (answer.type === 'failure') throw unavailable(answer.errors.map((error) => error.message).join('; '));
}

/** Evaluates a request against a kept policy set. Throws `policy-unavailable` for every error, also one inside a single policy. */
export function evaluate(policySetName: string, request: CedarRequest): CedarAnswer {
  const call = { ...request, preparsedPolicySetId: policySetName, validateRequest: false };
  return answerOf(guarded(() => wasm.statefulIsAuthorized(call as unknown as wasm.StatefulAuthorizationCall)));
}

/** Evaluates a request against policies that are not kept: slower by their parsing, for questions that people ask. */
export function evaluateOnce(policies: Readonly<Record<string, wasm.PolicyJson>>, request: CedarRequest): CedarAnswer {
  const call = { ...request, policies: { staticPolicies: policies }, validateRequest: false };
  return answerOf(guarded(() => wasm.isAuthorized(call as unknown as wasm.AuthorizationCall)));
}

export function unavailable(detail: string, cause?: unknown): GatewayFault {
  return new GatewayFault('policy-unavailable', { publicMessage: 'policy could not be evaluated, so nothing is permitted', detail, cause });
}

function answerOf(answer: wasm.AuthorizationAnswer): CedarAnswer {
  if (answer.type === 'failure') throw unavailable(answer.errors.map((error) => error.message).join('; '));
  const { decision, diagnostics } = answer.response;
  if (diagnostics.errors.length > 0)
    throw unavailable(diagnostics.errors.map((entry) => `${entry.policyId}: ${entry.error.message}`).join('; '));
  return { allowed: decision === 'allow', reasons: diagnostics.reason };
}

/** The WebAssembly layer throws for a call of the wrong shape, and traps for a defect of its own. */
function guarded<Answer>(call: () => Answer): Answer {
  try {
    return call();
  } catch (error) {
    throw unavailable(`cedar: ${String(error)}`, error);
  }
}

function toRemark(error: wasm.DetailedError, policy: string | undefined): Remark {
  const place = error.sourceLocations?.[0];
  const expected = place?.label === null || place?.label === undefined ? '' : ` (${place.label})`;
  return { message: `${error.message}${expected}`, help: error.help ?? undefined, start: place?.start, policy };
}

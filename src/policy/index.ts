export { CaseFileError } from './case-format.ts';
export { runCases, type CaseOptions, type CaseResult } from './cases.ts';
export { compilePolicies, PolicyLoadError, problemText, type KnownNames, type PolicyProblem, type PolicySet } from './compile.ts';
export { createPolicyEngine, type PolicyEngine } from './engine.ts';
export { explain, type Explanation } from './explain.ts';
export { actionsByName, factTypes, schemaText, sqlActions, type SqlActionName } from './schema.ts';

export { CaseFileError } from './case-format.ts';
export { runCases, type CaseOptions, type CaseResult } from './cases.ts';
export { compilePolicies, PolicyLoadError, problemText, type PolicyProblem, type PolicySet } from './compile.ts';
export { createPolicyEngine, type PolicyEngine } from './engine.ts';
export { explain, type Explanation } from './explain.ts';

export { askHttp } from './ask.ts';
export type { HttpEnvironment, HttpTarget } from './environment.ts';
export { explainHttp, type HttpMeaning } from './explain.ts';
export { problemOf, type FaultContext } from './fault.ts';
export { checkedHead, type CheckedHead, type RawHead } from './head.ts';
export { canonicalTarget } from './path.ts';

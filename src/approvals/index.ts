export type { ApprovalView } from './approval.ts';
export { ApprovalDesk } from './desk.ts';
export { SqliteApprovalStore } from './sqlite/store.ts';

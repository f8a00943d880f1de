export type { ApprovalState, ApprovalView, ExactText } from './approval.ts';
export { ApprovalDesk, type DeskPorts } from './desk.ts';
export { SqliteApprovalStore } from './sqlite/store.ts';

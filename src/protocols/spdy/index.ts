export { resetStatus, type SpdyHeaders } from './messages.ts';
export type { Inflate } from './header-block.ts';
export { SpdySession, type SpdyEvent } from './session.ts';

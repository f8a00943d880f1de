export { sessionChannel } from './session-channel.ts';

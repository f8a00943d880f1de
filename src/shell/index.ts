export type { CommandReading } from './reading.ts';
export { exactCommands, type ExactCommands } from './exact.ts';
export { readCommand } from './read.ts';

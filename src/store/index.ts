export { migrate, openDatabase } from './sqlite.ts';

export { migrate, openDatabase, transaction } from './sqlite.ts';

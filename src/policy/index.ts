export { actionsByName, factTypes, schemaText, sqlActions, type SqlActionName } from './schema.ts';

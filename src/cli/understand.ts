import type { Config } from '../config/index.ts';
import type { Act, Facts } from '../core/operation.ts';
import type { Target } from '../core/target.ts';
import { compileDataClasses } from '../masking/classes.ts';
import { nodeCrypto } from '../net/crypto.ts';
import { explainHttp } from '../protocols/http/index.ts';
import type { CatalogueRelation } from '../protocols/postgres/catalogue.ts';
import { explainPostgres } from '../protocols/postgres/explain.ts';
import type { SchemaCatalogue } from '../protocols/postgres/schema-catalogue.ts';
import { usage } from './failure.ts';
import { operationsOf } from './http-listing.ts';
import type { QualifiedName } from '../sql/statement.ts';
import { createAnalyser, loadParser } from '../sql/postgres/index.ts';

/**
 * What a statement asks for, told from its text alone: for `policy test` and `policy explain` without a gateway. No catalogue is
 * asked, so every relation that is named is taken for a plain table, one without a schema for one in `public`, and functions for the
 * server's own. What would be refused before policy is asked is thrown.
 */
export async function offlineUnderstanding(
  config: Config,
): Promise<(statement: string, target: Target) => { acts: readonly Act[]; facts: Facts }> {
  await loadParser();
  const analyser = createAnalyser({ maxShapes: 10_000 });
  // Nothing is masked here: any key will do.
  const classes = compileDataClasses(config.dataClasses, nodeCrypto, nodeCrypto.randomBytes(32));
  return (statement, { name, masking, readOnly }) => {
    const configured = config.targets.find((target) => target.name === name);
    if (configured?.protocol === 'http') {
      const meaning = explainHttp({
        line: statement,
        target: name,
        readOnly,
        classes,
        revealed: new Set(),
        operations: operationsOf(configured),
      });
      if (meaning.refusal !== undefined) throw meaning.refusal;
      return meaning;
    }
    if (configured !== undefined && configured.protocol !== 'postgres') {
      throw usage(`what a request of ${configured.protocol} means cannot be told without sending it`);
    }
    const { upstream } = configured ?? { upstream: { user: '', database: name } };
    const { acts, facts, refusal } = explainPostgres({
      statement,
      target: {
        name,
        database: upstream.database,
        classes,
        catalogue: () => asWritten,
      },
      masking,
      readOnly,
      revealed: new Set(classes.names),
      analyse: (sql) => analyser.analyse(sql),
    });
    if (refusal !== undefined) throw refusal;
    return { acts, facts };
  };
}

/** A database in which every name is the table that it looks like. */
const asWritten: SchemaCatalogue = {
  columnClasses: [],
  textTypes: new Set(),
  relationByOid: () => undefined,
  relationsNamed: (name) => [tableNamed(name)],
  hasUserOperator: () => false,
  hasUserFunction: () => false,
  runsCode: () => false,
  writesThrough: () => [],
};

function tableNamed({ schema, name }: QualifiedName): CatalogueRelation {
  return {
    oid: 0,
    schema: schema ?? 'public',
    name,
    kind: 'table',
    columns: new Map(),
    rules: new Map(),
    columnTaint: new Map(),
    tainted: [],
  };
}
